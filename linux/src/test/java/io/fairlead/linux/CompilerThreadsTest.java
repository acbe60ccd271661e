package io.fairlead.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.Test;

class CompilerThreadsTest {
    @Test
    void standBackUntilTheLastOneIsDone() {
        assumeTrue(CompilerThreads.mayRaise(), "this process may not let a thread forward again");
        assertThat(CompilerThreads.threads()).as("the JVM compiles").isNotEmpty();
        assertThat(CompilerThreads.threads())
                .allSatisfy(
                        thread -> assertThat(CompilerThreads.policy(thread)).isEqualTo(CompilerThreads.SCHED_OTHER));
        CompilerThreads.Quiet first = CompilerThreads.quiet();
        CompilerThreads.Quiet second = CompilerThreads.quiet();
        try {
            assertThat(CompilerThreads.threads()).isNotEmpty().allSatisfy(CompilerThreadsTest::standsBack);
            first.close();
            first.close();
            assertThat(CompilerThreads.threads()).allSatisfy(CompilerThreadsTest::standsBack);
        } finally {
            first.close();
            second.close();
        }
        assertThat(CompilerThreads.threads())
                .isNotEmpty()
                .allSatisfy(
                        thread -> assertThat(CompilerThreads.policy(thread)).isEqualTo(CompilerThreads.SCHED_OTHER));
    }

    private static void standsBack(int thread) {
        assertThat(CompilerThreads.policy(thread)).isEqualTo(CompilerThreads.SCHED_IDLE);
    }
}
