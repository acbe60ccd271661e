package io.fairlead.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class SamplesTest {
    @Test
    void medianOfAnOddNumberIsTheOneInTheMiddle() {
        Samples samples = Samples.of(9, 1, 5);
        assertThat(samples.median()).isEqualTo(5);
        assertThat(samples.min()).isEqualTo(1);
        assertThat(samples.max()).isEqualTo(9);
        assertThat(samples.count()).isEqualTo(3);
    }

    @Test
    void medianOfAnEvenNumberIsBetweenTheTwoInTheMiddle() {
        assertThat(Samples.of(List.of(8.0, 2.0, 100.0, 4.0)).median()).isEqualTo(6);
        assertThat(Samples.of(3).median()).isEqualTo(3);
    }

    @Test
    void keepsItsOwnCopy() {
        double[] values = {2, 1, 3};
        Samples samples = Samples.of(values);
        values[0] = 100;
        assertThat(samples.max()).isEqualTo(3);
        assertThat(values[1]).isEqualTo(1);
    }

    @Test
    void refusesWhatIsNoMeasurement() {
        assertThatThrownBy(Samples::of).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Samples.of(1, Double.NaN)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Samples.of(1, 1.0 / 0)).isInstanceOf(IllegalArgumentException.class);
    }
}
