#include "base/error.h"
#include "client/ring/render.h"
#include "client/ring/render_json.h"
#include "client/ring/verb.h"
#include "ring/slot.h"

enum exit_code verb_slots(struct session *session)
{
    const struct view *view = session_view(session);
    const struct ring_options *options = session->options;
    struct buf text = {0};
    bool problem = false;
    int result;
    if (options->json) {
        result =
            session_print_json(render_slots_json(view, options->keys, options->key_count), false);
    } else {
        render_slots(&text, view, options->keys, options->key_count);
        result = session_print(&text);
        buf_deinit(&text);
    }
    for (int i = 0; i < options->key_count; i++) {
        uint16_t owners[COPIES_MAX];
        if (view_owners(view, slot_of_key(bytes_of(options->keys[i])), owners) == 0) {
            problem = true;
        }
    }
    if (result != TORC_OK) {
        return session_fail(result);
    }
    return problem ? EXIT_PROBLEM : EXIT_WELL;
}
