#include "ring/agreement.h"

#include "base/error.h"

#include <assert.h>
#include <string.h>

#define REPEAT_MS 60    /* before an unanswered message is sent again */
#define GIVE_UP_MS 1500 /* before a proposal without a majority is dropped */
#define BACKOFF_MS 40   /* after a refusal, and as much again for each one before, at random */
#define BACKOFF_STEPS_MAX 8

int ballot_compare(const struct ballot *a, const struct ballot *b)
{
    if (a->number != b->number) {
        return a->number < b->number ? -1 : 1;
    }
    return a->number == 0 ? 0 : node_id_compare(&a->node, &b->node);
}

void agreement_init(struct agreement *agreement, const struct node_id *self, uint64_t seed)
{
    *agreement = (struct agreement){.self = *self};
    prng_init(&agreement->prng, seed);
}

static void set_view(const struct view **at, const struct view *view)
{
    const struct view *before = *at;
    *at = view == NULL ? NULL : view_retain(view);
    view_release(before);
}

static void clear_outgoing(struct agreement *agreement)
{
    for (size_t i = 0; i < agreement->outgoing_count; i++) {
        view_release(agreement->outgoing[i].message.view);
    }
    agreement->outgoing_count = 0;
}

static void stop_proposing(struct agreement *agreement)
{
    agreement->phase = AGREEMENT_IDLE;
    set_view(&agreement->wanted, NULL);
    set_view(&agreement->value, NULL);
}

void agreement_deinit(struct agreement *agreement)
{
    stop_proposing(agreement);
    clear_outgoing(agreement);
    set_view(&agreement->accepted_view, NULL);
    set_view(&agreement->decided, NULL);
    set_view(&agreement->view, NULL);
}

void agreement_install(struct agreement *agreement, const struct view *view)
{
    set_view(&agreement->view, view);
    stop_proposing(agreement);
    clear_outgoing(agreement);
    set_view(&agreement->accepted_view, NULL);
    set_view(&agreement->decided, NULL);
    agreement->promised = (struct ballot){0};
    agreement->accepted = (struct ballot){0};
    agreement->highest_number = 0;
    agreement->retry_at_ms = 0;
    agreement->failures = 0;
    agreement->dirty = true;
}

void agreement_restore(struct agreement *agreement, const struct ballot *promised,
                       const struct ballot *accepted, const struct view *accepted_view)
{
    agreement->promised = *promised;
    agreement->accepted = *accepted;
    set_view(&agreement->accepted_view, accepted_view);
    agreement->highest_number = promised->number;
}

static uint64_t instance_of(const struct agreement *agreement)
{
    return agreement->view->epoch + 1;
}

static int voter_index(const struct agreement *agreement, const struct node_id *id)
{
    for (size_t i = 0; i < agreement->view->voter_count; i++) {
        if (node_id_equal(&agreement->view->voters[i], id)) {
            return (int)i;
        }
    }
    return -1;
}

static bool is_majority(const struct agreement *agreement, uint8_t voters)
{
    size_t count = 0;
    for (; voters != 0; voters &= (uint8_t)(voters - 1)) {
        count++;
    }
    return count > agreement->view->voter_count / 2;
}

static void send(struct agreement *agreement, const struct node_id *to,
                 const struct agreement_message *message)
{
    if (agreement->outgoing_count == sizeof(agreement->outgoing) / sizeof(agreement->outgoing[0])) {
        return; /* as if it had been lost on the way */
    }
    struct agreement_outgoing *out = &agreement->outgoing[agreement->outgoing_count++];
    out->to = *to;
    out->message = *message;
    out->message.view = message->view == NULL ? NULL : view_retain(message->view);
}

/* ---- acceptor ---- */

/* What this node answers to a PREPARE or an ACCEPT, its own included. */
static struct agreement_message answer(struct agreement *agreement,
                                       const struct agreement_message *message, bool may_accept,
                                       uint64_t now_ms)
{
    struct agreement_message reply = {.kind = AGREEMENT_REFUSED,
                                      .instance = message->instance,
                                      .ballot = message->ballot,
                                      .other = agreement->promised};
    if (ballot_compare(&message->ballot, &agreement->promised) < 0) {
        return reply;
    }
    if (message->kind == AGREEMENT_PREPARE) {
        if (ballot_compare(&message->ballot, &agreement->promised) > 0) {
            agreement->promised = message->ballot;
            agreement->dirty = true;
        }
        reply.kind = AGREEMENT_PROMISE;
        reply.other = agreement->accepted;
        reply.view = agreement->accepted_view;
        return reply;
    }
    if (!may_accept) {
        return reply;
    }
    if (ballot_compare(&message->ballot, &agreement->accepted) != 0) {
        agreement->promised = message->ballot;
        agreement->accepted = message->ballot;
        if (agreement->accepted_view == NULL) {
            agreement->accepted_at_ms = now_ms;
        }
        set_view(&agreement->accepted_view, message->view);
        agreement->dirty = true;
    }
    reply.kind = AGREEMENT_ACCEPTED;
    return reply;
}

/* ---- proposer ---- */

static void note_answer(struct agreement *agreement, const struct node_id *from,
                        const struct agreement_message *message, uint64_t now_ms);

/* Sends the message of this phase to every voter that has not answered it; this node answers itself
 * at once. */
static void ask(struct agreement *agreement, bool may_accept, uint64_t now_ms)
{
    struct agreement_message message = {
        .kind = agreement->phase == AGREEMENT_PREPARING ? AGREEMENT_PREPARE : AGREEMENT_ACCEPT,
        .instance = instance_of(agreement),
        .ballot = agreement->ballot,
        .view = agreement->phase == AGREEMENT_PREPARING ? NULL : agreement->value};
    agreement->repeat_at_ms = now_ms + REPEAT_MS;
    for (size_t i = 0; i < agreement->view->voter_count; i++) {
        const struct node_id *voter = &agreement->view->voters[i];
        if ((agreement->answered >> i & 1) == 0 && !node_id_equal(voter, &agreement->self)) {
            send(agreement, voter, &message);
        }
    }
    int self = voter_index(agreement, &agreement->self);
    if (self >= 0 && (agreement->answered >> self & 1) == 0) {
        struct agreement_message own = answer(agreement, &message, may_accept, now_ms);
        const struct view *view = own.view == NULL ? NULL : view_retain(own.view);
        note_answer(agreement, &agreement->self, &own, now_ms);
        view_release(view);
    }
}

static void begin_phase(struct agreement *agreement, enum agreement_phase phase, bool may_accept,
                        uint64_t now_ms)
{
    agreement->phase = phase;
    agreement->answered = 0;
    ask(agreement, may_accept, now_ms);
}

static void back_off(struct agreement *agreement, uint64_t now_ms)
{
    stop_proposing(agreement);
    agreement->failures += agreement->failures < BACKOFF_STEPS_MAX;
    agreement->retry_at_ms =
        now_ms + 1 +
        prng_below(&agreement->prng,
                   (uint64_t)BACKOFF_MS * agreement->failures * agreement->failures);
}

static void note_promise(struct agreement *agreement, const struct agreement_message *message,
                         uint64_t now_ms)
{
    if (message->view != NULL && ballot_compare(&message->other, &agreement->value_ballot) > 0) {
        agreement->value_ballot = message->other;
        set_view(&agreement->value, message->view);
    }
    if (!is_majority(agreement, agreement->answered)) {
        return;
    }
    if (agreement->value == NULL) {
        set_view(&agreement->value, agreement->wanted);
    }
    if (agreement->value == NULL) {
        stop_proposing(agreement); /* there was nothing to finish */
        return;
    }
    /* Whether this voter may accept what it now proposes is asked at the next tick. */
    agreement->phase = AGREEMENT_ACCEPTING;
    agreement->answered = 0;
    agreement->repeat_at_ms = now_ms;
}

static void note_answer(struct agreement *agreement, const struct node_id *from,
                        const struct agreement_message *message, uint64_t now_ms)
{
    int voter = voter_index(agreement, from);
    if (message->kind == AGREEMENT_REFUSED && message->other.number > agreement->highest_number) {
        agreement->highest_number = message->other.number;
    }
    if (voter < 0 || agreement->phase == AGREEMENT_IDLE ||
        ballot_compare(&message->ballot, &agreement->ballot) != 0) {
        return;
    }
    if (message->kind == AGREEMENT_REFUSED) {
        if (ballot_compare(&message->other, &agreement->ballot) > 0) {
            back_off(agreement, now_ms); /* somebody else is ahead */
        }
        return; /* else it may not accept yet, and is asked again */
    }
    bool fits = agreement->phase == AGREEMENT_PREPARING ? message->kind == AGREEMENT_PROMISE
                                                        : message->kind == AGREEMENT_ACCEPTED;
    if (!fits || (agreement->answered >> voter & 1) != 0) {
        return;
    }
    agreement->answered |= (uint8_t)(1u << voter);
    if (message->kind == AGREEMENT_PROMISE) {
        note_promise(agreement, message, now_ms);
    } else if (is_majority(agreement, agreement->answered)) {
        set_view(&agreement->decided, agreement->value);
        stop_proposing(agreement);
    }
}

bool agreement_is_idle(const struct agreement *agreement, uint64_t now_ms)
{
    return agreement->phase == AGREEMENT_IDLE && agreement->decided == NULL &&
           now_ms >= agreement->retry_at_ms;
}

void agreement_propose(struct agreement *agreement, const struct view *next, uint64_t now_ms)
{
    assert(next == NULL || next->epoch == instance_of(agreement));
    if (!agreement_is_idle(agreement, now_ms) || voter_index(agreement, &agreement->self) < 0) {
        return;
    }
    agreement->highest_number++;
    agreement->ballot = (struct ballot){agreement->highest_number, agreement->self};
    agreement->value_ballot = (struct ballot){0};
    set_view(&agreement->wanted, next);
    set_view(&agreement->value, NULL);
    agreement->give_up_at_ms = now_ms + GIVE_UP_MS;
    begin_phase(agreement, AGREEMENT_PREPARING, false, now_ms);
}

/* ---- both ---- */

void agreement_receive(struct agreement *agreement, const struct node_id *from,
                       const struct agreement_message *message, bool may_accept, uint64_t now_ms)
{
    if (message->instance != instance_of(agreement) || voter_index(agreement, from) < 0) {
        return;
    }
    if (message->ballot.number > agreement->highest_number) {
        agreement->highest_number = message->ballot.number;
    }
    if (message->kind == AGREEMENT_PREPARE || message->kind == AGREEMENT_ACCEPT) {
        struct agreement_message reply = answer(agreement, message, may_accept, now_ms);
        send(agreement, from, &reply);
        return;
    }
    note_answer(agreement, from, message, now_ms);
}

void agreement_tick(struct agreement *agreement, bool may_accept, uint64_t now_ms)
{
    if (agreement->phase == AGREEMENT_IDLE) {
        return;
    }
    if (now_ms >= agreement->give_up_at_ms) {
        back_off(agreement, now_ms);
    } else if (now_ms >= agreement->repeat_at_ms) {
        ask(agreement, may_accept, now_ms);
    }
}

bool agreement_take(struct agreement *agreement, struct agreement_outgoing *out)
{
    if (agreement->outgoing_count == 0) {
        return false;
    }
    *out = agreement->outgoing[0];
    agreement->outgoing_count--;
    memmove(&agreement->outgoing[0], &agreement->outgoing[1],
            agreement->outgoing_count * sizeof(agreement->outgoing[0]));
    return true;
}

const struct view *agreement_take_decided(struct agreement *agreement)
{
    const struct view *decided = agreement->decided;
    agreement->decided = NULL;
    return decided;
}
