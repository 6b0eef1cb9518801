#include "client/ring/warnings.h"

#include "base/error.h"
#include "client/ring/cells.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define OF_A_KIND_MAX 5 /* nodes named for one reason; of more it is said how many there are */
#define CLOCK_OFF_MS 1000
/* Less than that over its due is no reason to move slots, however few keys there are. */
#define BYTES_OVER_MIN (64.0 * 1024 * 1024)

/* What is wrong with one node, in 33 columns at most, "" if it is well. `text` has CELL_SIZE * 3
 * bytes. */
typedef void (*examine)(const struct summary *summary, size_t index, char *text);

#define TEXT_SIZE ((size_t)CELL_SIZE * 3)

static void is_down(const struct summary *summary, size_t index, char *text)
{
    if (summary->view->nodes[index].status == NODE_DOWN) {
        (void)snprintf(text, TEXT_SIZE, "is down");
    }
}

static void is_silent(const struct summary *summary, size_t index, char *text)
{
    if (summary->view->nodes[index].status != NODE_DOWN && !summary->nodes[index].info.answers) {
        (void)snprintf(text, TEXT_SIZE, "does not answer");
    }
}

static void has_no_lease(const struct summary *summary, size_t index, char *text)
{
    if (summary->view->nodes[index].status == NODE_UP &&
        summary->nodes[index].info.lease_ms_left == 0) {
        (void)snprintf(text, TEXT_SIZE, "has no lease: it serves nothing");
    }
}

static void leads_much(const struct summary *summary, size_t index, char *text)
{
    const struct node_summary *node = &summary->nodes[index];
    const double over = (double)node->primaries - node->due;
    /* One slot more or less is nothing, however small the node. */
    if (over > IMBALANCE_MAX * node->due && over > 1) {
        (void)snprintf(text, TEXT_SIZE, "leads %u slots, due are %.0f", node->primaries, node->due);
    }
}

static void holds_much(const struct summary *summary, size_t index, char *text)
{
    const struct node_summary *node = &summary->nodes[index];
    const double over = (double)node->info.memory_bytes - node->due_bytes;
    if (node->info.answers && over > IMBALANCE_MAX * node->due_bytes && over > BYTES_OVER_MIN) {
        char has[CELL_SIZE];
        char ought[CELL_SIZE];
        cells_number(has, (double)node->info.memory_bytes, 1024);
        cells_number(ought, node->due_bytes, 1024);
        (void)snprintf(text, TEXT_SIZE, "holds %s bytes, due are %s", has, ought);
    }
}

/* Keys expire by it. The clocks were read at any time while all were asked. */
static void has_another_time(const struct summary *summary, size_t index, char *text)
{
    const uint64_t clock = summary->nodes[index].info.clock_us;
    if (clock == INFO_UNKNOWN) {
        return;
    }
    const double off_ms = ((double)clock - (double)summary->clock_us) / 1000;
    if (fabs(off_ms) > CLOCK_OFF_MS + (double)summary->asked_ms) {
        char duration[CELL_SIZE];
        cells_duration(duration, fabs(off_ms) / 1000);
        (void)snprintf(text, TEXT_SIZE, "has a clock %s %s", duration,
                       off_ms > 0 ? "ahead" : "behind");
    }
}

static void warn_of_nodes(struct summary *summary, examine look, const char *of_the_rest)
{
    size_t found = 0;
    for (size_t i = 0; i < summary->view->node_count; i++) {
        const struct view_node *node = &summary->view->nodes[i];
        char text[TEXT_SIZE] = "";
        char id[ID_WIDTH + 1];
        char address[CELL_SIZE];
        look(summary, i, text);
        if (text[0] == '\0' || ++found > OF_A_KIND_MAX) {
            continue;
        }
        cells_id(id, &node->id);
        cells_address(address, node, ADDRESS_WIDTH_MAX);
        buf_append_format(&summary->warnings, "node %s (%s) %s\n", id, address, text);
        summary->warning_count++;
    }
    if (found > OF_A_KIND_MAX) {
        buf_append_format(&summary->warnings, "%zu more %s\n", found - OF_A_KIND_MAX, of_the_rest);
        summary->warning_count++;
    }
}

static void warn_of_versions(struct summary *summary)
{
    const char *first = "";
    for (size_t i = 0; i < summary->view->node_count; i++) {
        const char *version = summary->nodes[i].info.version;
        if (version[0] != '\0' && first[0] != '\0' && strcmp(version, first) != 0) {
            buf_append_format(&summary->warnings, "mixed versions: %s and %s\n", first, version);
            summary->warning_count++;
            return;
        }
        first = first[0] == '\0' ? version : first;
    }
}

static const char *plural(uint32_t count)
{
    return count == 1 ? "slot has" : "slots have";
}

int warnings_collect(struct summary *summary)
{
    if (summary->slots_without_owner > 0) {
        buf_append_format(&summary->warnings, "%u %s no owner that is up\n",
                          summary->slots_without_owner, plural(summary->slots_without_owner));
        summary->warning_count++;
    }
    if (summary->slots_short > 0) {
        buf_append_format(&summary->warnings, "%u %s fewer than %u copies\n", summary->slots_short,
                          plural(summary->slots_short), summary->view->copies);
        summary->warning_count++;
    }
    warn_of_nodes(summary, is_down, "are down");
    warn_of_nodes(summary, is_silent, "do not answer");
    warn_of_nodes(summary, has_no_lease, "have no lease");
    warn_of_nodes(summary, has_another_time, "have a clock that is wrong");
    warn_of_versions(summary);
    /* A change under way is there to mend it, or makes it so for a while. */
    if (!summary->view->changing) {
        warn_of_nodes(summary, leads_much, "lead more slots than due");
        warn_of_nodes(summary, holds_much, "hold more bytes than due");
    }
    return summary->warnings.failed ? TORC_ENOMEM : TORC_OK;
}
