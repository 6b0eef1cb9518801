/*
 * Any bytes, as a message between quorums and as what a voter remembers of its votes: decoded or
 * refused, never worse. A message that decodes encodes to the same bytes.
 */
#include "base/error.h"
#include "ring/quorum.h"
#include "ring/quorum_message.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_message(struct bytes input)
{
    struct quorum_wire wire;
    int error = quorum_wire_decode(&wire, input, NULL);
    if (error != TORC_OK) {
        assert(error == TORC_ECORRUPT || error == TORC_EVERSION);
        return;
    }
    struct buf again = {0};
    quorum_wire_encode(&wire, &again);
    assert(!again.failed);
    assert(bytes_equal(input, buf_bytes(&again)));
    buf_deinit(&again);
    quorum_wire_deinit(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = {(const char *)data, size};
    check_message(input);
    int error = quorum_check_durable(input);
    assert(error == TORC_OK || error == TORC_ECORRUPT || error == TORC_EVERSION);
    return 0;
}
