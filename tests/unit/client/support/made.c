#include "tests/unit/client/support/made.h"

#include "client/reply.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct view *seal(struct view *view)
{
    ck_assert_int_eq(view_seal(view), 0);
    return view;
}

static struct view *begin(uint8_t cluster, uint64_t epoch, unsigned count, uint8_t copies,
                          unsigned down)
{
    struct view *view = view_create();
    ck_assert_ptr_nonnull(view);
    view->epoch = epoch;
    view->copies = copies;
    view->cluster_id = (struct node_id){{cluster}};
    strcpy(view->cluster_name, "made");
    for (unsigned i = 1; i <= count; i++) {
        struct view_node node = {
            .id = {{(uint8_t)i, 0xab}},
            .incarnation = 1,
            .client_port = (uint16_t)(7000 + i),
            .direct_port = (uint16_t)(8000 + i),
            .http_port = (uint16_t)(9000 + i),
            .bus_port = (uint16_t)(17000 + i),
            .status = i == down ? NODE_DOWN : NODE_UP,
            .weight_current = WEIGHT_UNIT,
            .weight_target = WEIGHT_UNIT,
            .weight_asked = WEIGHT_UNIT,
        };
        (void)snprintf(node.host, sizeof(node.host), "n%u", i);
        ck_assert_int_eq(view_put_node(view, &node), 0);
    }
    return view;
}

struct view *made_view(uint64_t epoch, unsigned count, uint8_t copies, unsigned down)
{
    return seal(begin(99, epoch, count, copies, down));
}

struct view *made_view_of_cluster(uint8_t cluster, uint64_t epoch)
{
    return seal(begin(cluster, epoch, 2, 2, 0));
}

redisReply *made_reply(const char *text)
{
    void *reply = NULL;
    redisReader *reader = reply_reader_create();
    ck_assert_ptr_nonnull(reader);
    ck_assert_int_eq(redisReaderFeed(reader, text, strlen(text)), REDIS_OK);
    ck_assert_int_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
    ck_assert_ptr_nonnull(reply);
    redisReaderFree(reader);
    return reply;
}
