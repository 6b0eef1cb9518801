#include "node/net.h"

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);
    return getsockopt(fd, level, name, &value, &size) == 0 ? value : -errno;
}

START_TEST(a_tuned_socket_is_prompt_and_tries_again_soon)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    net_tune(fd);
    ck_assert_int_ne(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    ck_assert_int_eq(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS), 1);
    int retry_ms = option(fd, IPPROTO_TCP, TCP_RTO_MAX_MS);
    ck_assert(retry_ms == NET_RETRY_MS_MAX || retry_ms == -ENOPROTOOPT); /* an older kernel */
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, a_tuned_socket_is_prompt_and_tries_again_soon);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
