#include "base/codec.h"
#include "base/error.h"
#include "node/state_file.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#define FILE_SIZE_MAX 4096

/* A folder of the test's own, and a log that can be read back. */
struct fixture {
    char root[64];
    char folder[128];
    char path[160];
    int log_fd;
    struct log log;
    struct state_file file;
    struct node_state state;
};

static void setup(struct fixture *fixture)
{
    memset(fixture, 0, sizeof(*fixture));
    strcpy(fixture->root, "/tmp/torc-state-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fixture->root));
    snprintf(fixture->folder, sizeof(fixture->folder), "%s/a/b", fixture->root);
    snprintf(fixture->path, sizeof(fixture->path), "%s/node.state", fixture->folder);
    fixture->log_fd = memfd_create("log", MFD_CLOEXEC);
    ck_assert_int_ge(fixture->log_fd, 0);
    log_init(&fixture->log, fixture->log_fd, LOG_DEBUG, "test");
    fixture->file.lock_fd = -1;
}

static void teardown(struct fixture *fixture)
{
    char command[200];
    state_file_close(&fixture->file);
    node_state_deinit(&fixture->state);
    close(fixture->log_fd);
    snprintf(command, sizeof(command), "chmod -R u+w %s; rm -r %s", fixture->root, fixture->root);
    ck_assert_int_eq(system(command), 0);
}

/* True if something was logged since the last look and it holds this text. */
static bool logged(struct fixture *fixture, const char *text)
{
    char lines[4096] = {0};
    ck_assert_int_ge(pread(fixture->log_fd, lines, sizeof(lines) - 1, 0), 0);
    ck_assert_int_eq(ftruncate(fixture->log_fd, 0), 0);
    lseek(fixture->log_fd, 0, SEEK_SET);
    return strstr(lines, text) != NULL;
}

static bool log_is_empty(const struct fixture *fixture)
{
    return lseek(fixture->log_fd, 0, SEEK_END) == 0;
}

static struct view *make_view(void)
{
    struct view *view = view_create();
    struct view_node node = {.id = {{1}},
                             .host = "localhost",
                             .client_port = 1,
                             .direct_port = 2,
                             .http_port = 3,
                             .bus_port = 4,
                             .status = NODE_UP,
                             .weight_asked = WEIGHT_UNIT,
                             .weight_current = WEIGHT_UNIT,
                             .weight_target = WEIGHT_UNIT};
    view->epoch = 42;
    view->copies = 2;
    view->cluster_id.bytes[0] = 9;
    ck_assert_int_eq(view_put_node(view, &node), TORC_OK);
    view->voters[0] = node.id;
    view->voter_count = 1;
    ck_assert_int_eq(view_seal(view), TORC_OK);
    return view;
}

/* What a voter has promised and accepted, as quorum_encode writes it: under ballot 6 the view of
 * make_view was accepted, and ballot 7 has been promised since. */
static void make_votes(struct buf *out)
{
    static const struct node_id proposer = {{5}};
    struct view *view = make_view();
    struct buf accepted = {0};
    view_encode(view, &accepted);
    write_u8(out, 1);
    write_u64(out, view->epoch);
    write_u64(out, 7);
    buf_append(out, proposer.bytes, NODE_ID_SIZE);
    write_u64(out, 6);
    buf_append(out, proposer.bytes, NODE_ID_SIZE);
    write_bytes32(out, buf_bytes(&accepted));
    buf_deinit(&accepted);
    view_release(view);
}

static int open_state(struct fixture *fixture)
{
    state_file_close(&fixture->file);
    node_state_deinit(&fixture->state);
    memset(&fixture->state, 0, sizeof(fixture->state));
    return state_file_open(&fixture->file, fixture->folder, &fixture->log, &fixture->state);
}

/* A fresh folder with a state in it, written and closed; its bytes. */
static size_t write_sample(struct fixture *fixture, char data[FILE_SIZE_MAX])
{
    struct view *view = make_view();
    struct node_state state = {.id = {{1}}, .incarnation = 7, .view = view};
    make_votes(&state.quorum);
    ck_assert_int_eq(open_state(fixture), TORC_ENOTFOUND);
    ck_assert_int_eq(state_file_write(&fixture->file, &fixture->log, &state), TORC_OK);
    node_state_deinit(&state);
    state_file_close(&fixture->file);
    int fd = open(fixture->path, O_RDONLY);
    ssize_t size = read(fd, data, FILE_SIZE_MAX);
    ck_assert_int_gt(size, 0);
    close(fd);
    return (size_t)size;
}

static void write_raw(struct fixture *fixture, const char *data, size_t size)
{
    int fd = open(fixture->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
    close(fd);
}

START_TEST(test_round_trip)
{
    struct fixture fixture;
    struct node_state state = {.id = {{1, 2, 3}}, .incarnation = UINT64_MAX};
    setup(&fixture);
    ck_assert_int_eq(open_state(&fixture), TORC_ENOTFOUND);
    ck_assert(log_is_empty(&fixture)); /* a first start is no trouble */
    ck_assert_int_eq(state_file_write(&fixture.file, &fixture.log, &state), TORC_OK);
    ck_assert_int_eq(open_state(&fixture), TORC_OK);
    ck_assert(node_id_equal(&fixture.state.id, &state.id));
    ck_assert_uint_eq(fixture.state.incarnation, UINT64_MAX);
    ck_assert_ptr_null(fixture.state.view);
    ck_assert_uint_eq(buf_size(&fixture.state.quorum), 0);

    state.view = make_view();
    make_votes(&state.quorum);
    state.incarnation = 3;
    ck_assert_int_eq(state_file_write(&fixture.file, &fixture.log, &state), TORC_OK);
    ck_assert_int_eq(open_state(&fixture), TORC_OK);
    ck_assert_uint_eq(fixture.state.incarnation, 3);
    struct buf wanted = {0};
    struct buf found = {0};
    view_encode(state.view, &wanted);
    ck_assert_ptr_nonnull(fixture.state.view);
    view_encode(fixture.state.view, &found);
    ck_assert(bytes_equal(buf_bytes(&wanted), buf_bytes(&found)));
    buf_deinit(&wanted);
    buf_deinit(&found);
    ck_assert(bytes_equal(buf_bytes(&fixture.state.quorum), buf_bytes(&state.quorum)));
    node_state_deinit(&state);
    ck_assert_ptr_null(state.view);
    ck_assert_int_eq(access(fixture.path, R_OK), 0);
    ck_assert(log_is_empty(&fixture));
    teardown(&fixture);
}
END_TEST

START_TEST(test_bytes)
{
    struct fixture fixture;
    char data[FILE_SIZE_MAX];
    setup(&fixture);
    size_t size = write_sample(&fixture, data);
    uint64_t checksum = XXH3_64bits(data, size - 8);
    ck_assert_int_eq(memcmp(data, "TCST\x02\x00\x01", 7), 0);
    ck_assert_uint_eq((uint8_t)data[6 + NODE_ID_SIZE], 7); /* incarnation */
    for (unsigned i = 0; i < 8; i++) {
        ck_assert_uint_eq((uint8_t)data[size - 8 + i], (uint8_t)(checksum >> (8 * i)));
    }
    teardown(&fixture);
}
END_TEST

/* Opens what is in the folder, which must be refused with the path in the log and left alone. */
static void expect_refused(struct fixture *fixture, int wanted)
{
    ck_assert_int_eq(open_state(fixture), wanted);
    ck_assert_ptr_null(fixture->state.view);
    ck_assert_uint_eq(buf_size(&fixture->state.quorum), 0);
    ck_assert(logged(fixture, fixture->path));
    ck_assert_int_eq(access(fixture->path, F_OK), 0);
}

START_TEST(test_cut_at_every_length)
{
    struct fixture fixture;
    char data[FILE_SIZE_MAX];
    setup(&fixture);
    size_t size = write_sample(&fixture, data);
    for (size_t cut = 0; cut < size; cut++) {
        write_raw(&fixture, data, cut);
        expect_refused(&fixture, TORC_ECORRUPT);
    }
    write_raw(&fixture, data, size);
    ck_assert_int_eq(open_state(&fixture), TORC_OK);
    data[size] = 0;
    write_raw(&fixture, data, size + 1);
    expect_refused(&fixture, TORC_ECORRUPT);
    teardown(&fixture);
}
END_TEST

START_TEST(test_flipped_bits)
{
    struct fixture fixture;
    char data[FILE_SIZE_MAX];
    setup(&fixture);
    size_t size = write_sample(&fixture, data);
    for (size_t at = 0; at < size; at++) {
        data[at] = (char)(data[at] ^ (1 << (at % 8)));
        write_raw(&fixture, data, size);
        expect_refused(&fixture, TORC_ECORRUPT);
        data[at] = (char)(data[at] ^ (1 << (at % 8)));
    }
    teardown(&fixture);
}
END_TEST

/* Writes what the test has changed, with a checksum that fits. */
static void write_signed(struct fixture *fixture, char *data, size_t size)
{
    uint64_t checksum = XXH3_64bits(data, size - 8);
    for (unsigned i = 0; i < 8; i++) {
        data[size - 8 + i] = (char)(checksum >> (8 * i));
    }
    write_raw(fixture, data, size);
}

/* Of another version, and otherwise whole. */
START_TEST(test_other_version)
{
    struct fixture fixture;
    char data[FILE_SIZE_MAX];
    setup(&fixture);
    size_t size = write_sample(&fixture, data);
    static const size_t places[] = {0, 4, 5}; /* magic, version */
    for (size_t i = 0; i < 3; i++) {
        data[places[i]]++;
        write_signed(&fixture, data, size);
        expect_refused(&fixture, TORC_EVERSION);
        data[places[i]]--;
    }
    teardown(&fixture);
}
END_TEST

/* The checksum is right and the view within is not one. */
START_TEST(test_unlawful_view)
{
    struct fixture fixture;
    char data[FILE_SIZE_MAX];
    setup(&fixture);
    size_t size = write_sample(&fixture, data);
    size_t view = 4 + 2 + NODE_ID_SIZE + 8 + 4;
    memset(data + view + 2, 0, 8); /* its epoch */
    write_signed(&fixture, data, size);
    expect_refused(&fixture, TORC_ECORRUPT);
    teardown(&fixture);
}
END_TEST

/* The checksum is right and the votes within are none: a voter that forgot them might vote again.
 */
START_TEST(test_unlawful_votes)
{
    struct fixture fixture;
    char data[FILE_SIZE_MAX];
    struct buf votes = {0};
    setup(&fixture);
    make_votes(&votes);
    size_t size = write_sample(&fixture, data);
    size_t at = size - 8 - buf_size(&votes);
    ck_assert_int_eq(memcmp(data + at, buf_head(&votes), buf_size(&votes)), 0);
    size_t accepted = at + 1 + 8 + 8 + NODE_ID_SIZE;
    size_t view = accepted + 8 + NODE_ID_SIZE + 4;

    data[at]++; /* version */
    write_signed(&fixture, data, size);
    expect_refused(&fixture, TORC_EVERSION);
    data[at]--;

    data[accepted] = 0; /* a view, and accepted under no ballot */
    write_signed(&fixture, data, size);
    expect_refused(&fixture, TORC_ECORRUPT);
    data[accepted] = 6;

    char epoch[8];
    memcpy(epoch, data + view + 2, 8);
    memset(data + view + 2, 0, 8); /* of the accepted view */
    write_signed(&fixture, data, size);
    expect_refused(&fixture, TORC_ECORRUPT);
    memcpy(data + view + 2, epoch, 8);

    write_signed(&fixture, data, size);
    ck_assert_int_eq(open_state(&fixture), TORC_OK);
    ck_assert(bytes_equal(buf_bytes(&fixture.state.quorum), buf_bytes(&votes)));
    buf_deinit(&votes);
    teardown(&fixture);
}
END_TEST

START_TEST(test_another_process_has_it)
{
    struct fixture fixture;
    char lock[160];
    int locked[2];
    int release[2];
    char byte = 0;
    setup(&fixture);
    ck_assert_int_eq(open_state(&fixture), TORC_ENOTFOUND);
    state_file_close(&fixture.file);
    snprintf(lock, sizeof(lock), "%s/lock", fixture.folder);
    ck_assert_int_eq(pipe(locked), 0);
    ck_assert_int_eq(pipe(release), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = open(lock, O_RDWR);
        bool ok = flock(fd, LOCK_EX) == 0 && write(locked[1], "x", 1) == 1;
        _exit(ok && read(release[0], &byte, 1) == 1 ? 0 : 1);
    }
    ck_assert_int_eq(read(locked[0], &byte, 1), 1);
    ck_assert_int_eq(open_state(&fixture), TORC_EEXIST);
    ck_assert(logged(&fixture, fixture.folder));
    state_file_close(&fixture.file);
    ck_assert_int_eq(write(release[1], "x", 1), 1);
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(open_state(&fixture), TORC_ENOTFOUND); /* the lock died with it */
    for (size_t i = 0; i < 2; i++) {
        close(locked[i]);
        close(release[i]);
    }
    teardown(&fixture);
}
END_TEST

/* Permissions do not bind the superuser, so this runs as somebody else. */
static int open_as_nobody(struct fixture *fixture)
{
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && (setegid(65534) != 0 || seteuid(65534) != 0)) {
            _exit(100);
        }
        _exit(-state_file_open(&fixture->file, fixture->folder, &fixture->log, &fixture->state));
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -101;
}

START_TEST(test_folder_that_cannot_be_written)
{
    struct fixture fixture;
    setup(&fixture);
    ck_assert_int_eq(chmod(fixture.root, 0555), 0);
    ck_assert_int_eq(open_as_nobody(&fixture), TORC_EIO); /* cannot be made */
    ck_assert(logged(&fixture, fixture.folder));
    ck_assert_int_eq(chmod(fixture.root, 0755), 0);
    ck_assert_int_eq(open_state(&fixture), TORC_ENOTFOUND);
    state_file_close(&fixture.file);
    char lock[160];
    snprintf(lock, sizeof(lock), "%s/lock", fixture.folder);
    ck_assert_int_eq(unlink(lock), 0);
    ck_assert_int_eq(chmod(fixture.folder, 0555), 0);
    ck_assert_int_eq(open_as_nobody(&fixture), TORC_EIO); /* is there */
    ck_assert(logged(&fixture, fixture.folder));
    teardown(&fixture);
}
END_TEST

START_TEST(test_folder_under_a_file)
{
    struct fixture fixture;
    setup(&fixture);
    snprintf(fixture.folder, sizeof(fixture.folder), "%s/file", fixture.root);
    int fd = open(fixture.folder, O_WRONLY | O_CREAT, 0600);
    close(fd);
    ck_assert_int_eq(open_state(&fixture), TORC_EIO);
    ck_assert(logged(&fixture, fixture.folder));
    snprintf(fixture.folder, sizeof(fixture.folder), "%s/file/below", fixture.root);
    ck_assert_int_eq(open_state(&fixture), TORC_EIO);
    ck_assert(logged(&fixture, fixture.folder));
    teardown(&fixture);
}
END_TEST

/* What cannot be written leaves what was written before. */
START_TEST(test_write_fails)
{
    struct fixture fixture;
    char data[FILE_SIZE_MAX];
    char temporary[200];
    setup(&fixture);
    write_sample(&fixture, data);
    ck_assert_int_eq(open_state(&fixture), TORC_OK);
    snprintf(temporary, sizeof(temporary), "%s.new", fixture.path);
    ck_assert_int_eq(mkdir(temporary, 0700), 0); /* a folder where the new file would be */
    struct node_state state = {.id = {{1}}, .incarnation = 8};
    ck_assert_int_eq(state_file_write(&fixture.file, &fixture.log, &state), TORC_EIO);
    ck_assert(logged(&fixture, fixture.path));
    ck_assert_int_eq(open_state(&fixture), TORC_OK);
    ck_assert_uint_eq(fixture.state.incarnation, 7);
    ck_assert_int_eq(rmdir(temporary), 0);
    ck_assert_int_eq(state_file_write(&fixture.file, &fixture.log, &state), TORC_OK);
    ck_assert_int_eq(open_state(&fixture), TORC_OK);
    ck_assert_uint_eq(fixture.state.incarnation, 8);
    ck_assert_int_ne(access(temporary, F_OK), 0);
    teardown(&fixture);
}
END_TEST

/* A voter tries again twice a second for as long as the disk refuses: it says so once, and once
 * that it is over. */
START_TEST(test_failing_write_is_logged_once)
{
    struct fixture fixture;
    char temporary[200];
    struct node_state state = {.id = {{1}}, .incarnation = 8};
    setup(&fixture);
    ck_assert_int_eq(open_state(&fixture), TORC_ENOTFOUND);
    snprintf(temporary, sizeof(temporary), "%s.new", fixture.path);
    for (unsigned round = 0; round < 2; round++) {
        ck_assert_int_eq(mkdir(temporary, 0700), 0);
        ck_assert_int_eq(state_file_write(&fixture.file, &fixture.log, &state), TORC_EIO);
        ck_assert(logged(&fixture, fixture.path));
        ck_assert_int_eq(state_file_write(&fixture.file, &fixture.log, &state), TORC_EIO);
        ck_assert_int_eq(state_file_write(&fixture.file, &fixture.log, &state), TORC_EIO);
        ck_assert(log_is_empty(&fixture));
        ck_assert_int_eq(rmdir(temporary), 0);
        ck_assert_int_eq(state_file_write(&fixture.file, &fixture.log, &state), TORC_OK);
        ck_assert(logged(&fixture, "can be written again"));
        ck_assert_int_eq(state_file_write(&fixture.file, &fixture.log, &state), TORC_OK);
        ck_assert(log_is_empty(&fixture));
    }
    teardown(&fixture);
}
END_TEST

/* A process that was killed while it wrote leaves a part of the new file; nobody reads it. */
START_TEST(test_left_over_temporary_file)
{
    struct fixture fixture;
    char data[FILE_SIZE_MAX];
    char temporary[200];
    setup(&fixture);
    write_sample(&fixture, data);
    snprintf(temporary, sizeof(temporary), "%s.new", fixture.path);
    int fd = open(temporary, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_eq(write(fd, data, 11), 11);
    close(fd);
    ck_assert_int_eq(open_state(&fixture), TORC_OK);
    ck_assert_uint_eq(fixture.state.incarnation, 7);
    fixture.state.incarnation = 9;
    ck_assert_int_eq(state_file_write(&fixture.file, &fixture.log, &fixture.state), TORC_OK);
    ck_assert_int_eq(open_state(&fixture), TORC_OK);
    ck_assert_uint_eq(fixture.state.incarnation, 9);
    teardown(&fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state_file");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_round_trip);
    tcase_add_test(tests, test_bytes);
    tcase_add_test(tests, test_cut_at_every_length);
    tcase_add_test(tests, test_flipped_bits);
    tcase_add_test(tests, test_other_version);
    tcase_add_test(tests, test_unlawful_view);
    tcase_add_test(tests, test_unlawful_votes);
    tcase_add_test(tests, test_another_process_has_it);
    tcase_add_test(tests, test_folder_that_cannot_be_written);
    tcase_add_test(tests, test_folder_under_a_file);
    tcase_add_test(tests, test_write_fails);
    tcase_add_test(tests, test_failing_write_is_logged_once);
    tcase_add_test(tests, test_left_over_temporary_file);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
