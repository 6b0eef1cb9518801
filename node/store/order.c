#include "node/store/order.h"

#include "base/error.h"
#include "node/store/allocate.h"

#include <assert.h>

static_assert(sizeof(struct order_leaf) == 512, "a size that allocators have");
static_assert(sizeof(struct order_node) <= 1024, "a size that allocators have");

/* The way from the root to a leaf: at each node the child that was taken. */
struct path {
    struct order_node *nodes[ORDER_HEIGHT_MAX]; /* the root comes first */
    uint32_t indexes[ORDER_HEIGHT_MAX];
    struct order_leaf *leaf;
    uint32_t inside; /* index in the leaf */
};

/* A part of a tree, and the entry that it begins with. */
struct branch {
    void *root;
    uint32_t count;
    double score;
    struct object *first;
};

static void *allocate(struct order *order, size_t size)
{
    void *block = store_allocate(size);
    order->memory += store_allocated_size(block);
    return block;
}

static void release(struct order *order, void *block)
{
    order->memory -= store_allocated_size(block);
    store_release(block);
}

void order_init(struct order *order)
{
    *order = (struct order){0};
}

void order_deinit(struct order *order)
{
    struct freeing all = FREEING_ALL;
    (void)order_free_some(order, &all);
    assert(all.bytes == order->memory);
    order_init(order);
}

/* Frees the last leaf, and what is above it alone. */
static void free_last_leaf(struct order *order, struct freeing *freeing)
{
    struct order_node *above[ORDER_HEIGHT_MAX];
    void *below = order->root;
    for (unsigned level = 0; level < order->height; level++) {
        above[level] = below;
        below = above[level]->children[above[level]->length - 1];
    }
    freeing_release(freeing, below);
    for (unsigned level = order->height; level > 0; level--) {
        if (--above[level - 1]->length > 0) {
            return;
        }
        freeing_release(freeing, above[level - 1]);
    }
    order->root = NULL;
}

bool order_free_some(struct order *order, struct freeing *freeing)
{
    while (order->root != NULL && freeing->budget > 0) {
        free_last_leaf(order, freeing);
    }
    return order->root != NULL;
}

/* ---- finding ---- */

/* To the entry of a rank, or, for what is `beyond` it, behind the entry before. */
static void find_rank(const struct order *order, size_t rank, bool beyond, struct path *path)
{
    void *at = order->root;
    for (unsigned depth = 0; depth < order->height; depth++) {
        struct order_node *node = at;
        uint32_t i = 0;
        while (i + 1 < node->length && rank >= node->counts[i] + (beyond ? 1u : 0u)) {
            rank -= node->counts[i++];
        }
        path->nodes[depth] = node;
        path->indexes[depth] = i;
        at = node->children[i];
    }
    path->leaf = at;
    path->inside = (uint32_t)rank;
}

/* Of the children of a node the last one that begins before the bound. */
static uint32_t child_before(const struct order_node *node, const struct zset_bound *bound)
{
    uint32_t low = 0;
    uint32_t high = node->length - 1;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        struct zset_entry first = {object_key(node->firsts[middle]), node->scores[middle]};
        if (zset_lies_before(first, bound)) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

static uint32_t entries_before(const struct order_leaf *leaf, const struct zset_bound *bound)
{
    uint32_t low = 0;
    uint32_t high = leaf->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (zset_lies_before(order_entry(leaf->entries[middle]), bound)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

size_t order_count_before(const struct order *order, const struct zset_bound *bound)
{
    size_t before = 0;
    const void *at = order->root;
    if (at == NULL) {
        return 0;
    }
    for (unsigned level = order->height; level > 0; level--) {
        const struct order_node *node = at;
        uint32_t child = child_before(node, bound);
        for (uint32_t i = 0; i < child; i++) {
            before += node->counts[i];
        }
        at = node->children[child];
    }
    return before + entries_before(at, bound);
}

struct order_cursor order_seek(const struct order *order, size_t rank)
{
    if (rank >= order->count) {
        return (struct order_cursor){NULL, 0};
    }
    struct path path;
    find_rank(order, rank, false, &path);
    return (struct order_cursor){path.leaf, path.inside};
}

struct object *order_next(struct order_cursor *cursor)
{
    const struct order_leaf *leaf = cursor->leaf;
    if (leaf == NULL) {
        return NULL;
    }
    struct object *entry = leaf->entries[cursor->index++];
    if (cursor->index == leaf->count) {
        *cursor = (struct order_cursor){leaf->next, 0};
    }
    return entry;
}

struct object *order_previous(struct order_cursor *cursor)
{
    const struct order_leaf *leaf = cursor->leaf;
    if (leaf == NULL) {
        return NULL;
    }
    struct object *entry = leaf->entries[cursor->index];
    if (cursor->index > 0) {
        cursor->index--;
    } else {
        leaf = leaf->previous;
        *cursor = (struct order_cursor){leaf, leaf == NULL ? 0 : leaf->count - 1};
    }
    return entry;
}

/* ---- inserting ---- */

static void leaf_insert(struct order_leaf *leaf, uint32_t at, struct object *object)
{
    memmove(leaf->entries + at + 1, leaf->entries + at,
            (leaf->count - at) * sizeof(*leaf->entries));
    leaf->entries[at] = object;
    leaf->count++;
}

static void node_move(struct order_node *node, uint32_t from, uint32_t to)
{
    uint32_t count = node->length - from;
    memmove(node->counts + to, node->counts + from, count * sizeof(*node->counts));
    memmove(node->scores + to, node->scores + from, count * sizeof(*node->scores));
    memmove(node->firsts + to, node->firsts + from, count * sizeof(*node->firsts));
    memmove(node->children + to, node->children + from, count * sizeof(*node->children));
}

static void node_set(struct order_node *node, uint32_t at, const struct branch *branch)
{
    node->counts[at] = branch->count;
    node->scores[at] = branch->score;
    node->firsts[at] = branch->first;
    node->children[at] = branch->root;
}

static void node_insert(struct order_node *node, uint32_t at, const struct branch *branch)
{
    node_move(node, at, at + 1);
    node->length++;
    node_set(node, at, branch);
}

/* Children of `from`, from that index on, go behind those of `to`. */
static void node_append(struct order_node *to, const struct order_node *from, uint32_t first)
{
    uint32_t count = from->length - first;
    memcpy(to->counts + to->length, from->counts + first, count * sizeof(*to->counts));
    memcpy(to->scores + to->length, from->scores + first, count * sizeof(*to->scores));
    memcpy(to->firsts + to->length, from->firsts + first, count * sizeof(*to->firsts));
    memcpy(to->children + to->length, from->children + first, count * sizeof(*to->children));
    to->length += count;
}

static uint32_t node_count(const struct order_node *node)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->length; i++) {
        count += node->counts[i];
    }
    return count;
}

/* What an insertion needs, taken before anything is changed: a leaf, and nodes. */
struct supply {
    void *blocks[ORDER_HEIGHT_MAX + 2];
    unsigned count;
    unsigned used;
};

/* Blocks for the splits that an insertion at the end of the path makes. 0 or TORC_ENOMEM. */
static int supply_take(struct order *order, const struct path *path, struct supply *supply)
{
    *supply = (struct supply){0};
    unsigned wanted = 0;
    if (path->leaf->count == ORDER_LEAF_MAX) {
        unsigned full = 0; /* nodes above it that are */
        while (full < order->height &&
               path->nodes[order->height - 1 - full]->length == ORDER_NODE_MAX) {
            full++;
        }
        wanted = 1 + full + (full == order->height ? 1 : 0); /* another root */
    }
    for (; supply->count < wanted; supply->count++) {
        void *block = allocate(order, supply->count == 0 ? sizeof(struct order_leaf)
                                                         : sizeof(struct order_node));
        if (block == NULL) {
            while (supply->count > 0) {
                release(order, supply->blocks[--supply->count]);
            }
            return TORC_ENOMEM;
        }
        supply->blocks[supply->count] = block;
    }
    return 0;
}

/* Splits a full leaf for one more entry. What only grows at one end leaves full leaves behind. */
static struct branch leaf_split(struct order_leaf *leaf, uint32_t at, struct object *object,
                                struct order_leaf *right)
{
    bool append = at == leaf->count && leaf->next == NULL;
    bool prepend = at == 0 && leaf->previous == NULL;
    uint32_t kept = append ? leaf->count : prepend ? 0 : (leaf->count + 1) / 2;
    right->count = leaf->count - kept;
    memcpy(right->entries, leaf->entries + kept, right->count * sizeof(*right->entries));
    leaf->count = kept;
    right->previous = leaf;
    right->next = leaf->next;
    if (right->next != NULL) {
        right->next->previous = right;
    }
    leaf->next = right;
    if (at > kept || append) {
        leaf_insert(right, at - kept, object);
    } else {
        leaf_insert(leaf, at, object);
    }
    return (struct branch){right, right->count, order_entry(right->entries[0]).score,
                           right->entries[0]};
}

/* The same for a full node and one more child. */
static struct branch node_split(struct order_node *node, uint32_t at, const struct branch *child,
                                struct order_node *right, bool append)
{
    uint32_t kept = append ? node->length : node->length / 2;
    right->length = 0;
    node_append(right, node, kept);
    node->length = kept;
    if (at > kept || append) {
        node_insert(right, at - kept, child);
    } else {
        node_insert(node, at, child);
    }
    return (struct branch){right, node_count(right), right->scores[0], right->firsts[0]};
}

/* In the nodes of a path above that depth. */
static void count_one_more(struct path *path, unsigned depth)
{
    for (unsigned above = 0; above < depth; above++) {
        path->nodes[above]->counts[path->indexes[above]]++;
    }
}

/* Puts what a split made beside the child that it was, on each level up to one with room. */
static void insert_branch(struct order *order, struct path *path, struct branch branch,
                          struct supply *supply, bool append)
{
    uint32_t left_count = path->leaf->count;
    void *left = path->leaf;
    for (unsigned depth = order->height; depth > 0; depth--) {
        struct order_node *node = path->nodes[depth - 1];
        uint32_t at = path->indexes[depth - 1];
        node->counts[at] = left_count;
        if (node->length < ORDER_NODE_MAX) {
            node_insert(node, at + 1, &branch);
            count_one_more(path, depth - 1);
            return;
        }
        branch = node_split(node, at + 1, &branch, supply->blocks[supply->used++],
                            append && at + 1 == node->length);
        left_count = node_count(node);
        left = node;
    }
    struct order_node *root = supply->blocks[supply->used++];
    struct branch first = {.root = left, .count = left_count};
    root->length = 2;
    node_set(root, 0, &first);
    node_set(root, 1, &branch);
    order->root = root;
    order->height++;
    assert(order->height < ORDER_HEIGHT_MAX);
}

static int insert_first(struct order *order, struct object *object)
{
    struct order_leaf *leaf = allocate(order, sizeof(*leaf));
    if (leaf == NULL) {
        return TORC_ENOMEM;
    }
    leaf->count = 1;
    leaf->previous = NULL;
    leaf->next = NULL;
    leaf->entries[0] = object;
    order->root = leaf;
    order->count = 1;
    return 0;
}

int order_insert(struct order *order, size_t rank, struct object *object)
{
    assert(rank <= order->count);
    if (order->root == NULL) {
        return insert_first(order, object);
    }
    struct path path;
    struct supply supply;
    find_rank(order, rank, true, &path);
    int result = supply_take(order, &path, &supply);
    if (result != 0) {
        return result;
    }
    order->count++;
    if (supply.count == 0) {
        leaf_insert(path.leaf, path.inside, object);
        count_one_more(&path, order->height);
        return 0;
    }
    bool append = rank == order->count - 1;
    struct branch branch = leaf_split(path.leaf, path.inside, object, supply.blocks[supply.used++]);
    insert_branch(order, &path, branch, &supply, append);
    assert(supply.used == supply.count);
    return 0;
}

/* ---- removing ---- */

static void leaf_unlink(struct order_leaf *leaf)
{
    if (leaf->previous != NULL) {
        leaf->previous->next = leaf->next;
    }
    if (leaf->next != NULL) {
        leaf->next->previous = leaf->previous;
    }
}

static void node_remove(struct order_node *node, uint32_t at)
{
    node_move(node, at + 1, at);
    node->length--;
}

/* Joins two neighbours, children `left` and the next one of a node whose children are of that
 * height, if they hold little enough. */
static void join(struct order *order, struct order_node *node, uint32_t left, unsigned height)
{
    void *right_block = node->children[left + 1];
    if (height == 0) {
        struct order_leaf *to = node->children[left];
        struct order_leaf *from = right_block;
        if (to->count + from->count > ORDER_LEAF_JOINED_MAX) {
            return;
        }
        memcpy(to->entries + to->count, from->entries, from->count * sizeof(*from->entries));
        to->count += from->count;
        leaf_unlink(from);
    } else {
        struct order_node *to = node->children[left];
        struct order_node *from = right_block;
        if (to->length + from->length > ORDER_NODE_JOINED_MAX) {
            return;
        }
        from->scores[0] = node->scores[left + 1];
        from->firsts[0] = node->firsts[left + 1];
        node_append(to, from, 0);
    }
    node->counts[left] += node->counts[left + 1];
    node_remove(node, left + 1);
    release(order, right_block);
}

static void join_neighbours(struct order *order, struct order_node *node, uint32_t at,
                            unsigned height)
{
    if (at + 1 < node->length) {
        join(order, node, at, height);
    }
    if (at > 0) {
        join(order, node, at - 1, height);
    }
}

/* What an ancestor has to note: that a part of the tree begins with another entry. */
struct beginning {
    bool changed;
    double score;
    struct object *first;
};

/* Brings the nodes of a path in line with a leaf that has lost an entry; `begins` is of the leaf.
 * True if all of it is gone. */
static bool settle_path(struct order *order, struct path *path, struct beginning begins)
{
    bool empty = path->leaf->count == 0;
    if (empty) {
        leaf_unlink(path->leaf);
        release(order, path->leaf);
    }
    for (unsigned depth = order->height; depth > 0; depth--) {
        struct order_node *node = path->nodes[depth - 1];
        uint32_t at = path->indexes[depth - 1];
        node->counts[at]--;
        if (empty) {
            node_remove(node, at);
            empty = node->length == 0;
            begins.changed = at == 0 && !empty;
            if (begins.changed) {
                begins.score = node->scores[0];
                begins.first = node->firsts[0];
            } else if (empty) {
                release(order, node);
            }
            continue;
        }
        if (begins.changed && at > 0) {
            node->scores[at] = begins.score;
            node->firsts[at] = begins.first;
            begins.changed = false;
        }
        join_neighbours(order, node, at, order->height - depth);
    }
    return empty;
}

struct object *order_remove(struct order *order, size_t rank)
{
    assert(rank < order->count);
    struct path path;
    find_rank(order, rank, false, &path);
    struct order_leaf *leaf = path.leaf;
    struct object *removed = leaf->entries[path.inside];
    leaf->count--;
    memmove(leaf->entries + path.inside, leaf->entries + path.inside + 1,
            (leaf->count - path.inside) * sizeof(*leaf->entries));
    order->count--;
    struct beginning begins = {.changed = path.inside == 0 && leaf->count > 0};
    if (begins.changed) {
        begins.first = leaf->entries[0];
        begins.score = order_entry(begins.first).score;
    }
    if (settle_path(order, &path, begins)) {
        order->root = NULL;
        order->height = 0;
        return removed;
    }
    while (order->height > 0 && ((struct order_node *)order->root)->length == 1) {
        struct order_node *root = order->root;
        order->root = root->children[0];
        order->height--;
        release(order, root);
    }
    return removed;
}
