package io.fairlead.cli.output;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class DeviceRatesTest {
    private static JsonNode statistics(String... devices) {
        return JsonMapper.shared().readTree("{\"devices\":[" + String.join(",", devices) + "]}");
    }

    private static String device(String name, long... requestsOfQueues) {
        StringBuilder queues = new StringBuilder();
        for (long requests : requestsOfQueues) {
            queues.append(queues.isEmpty() ? "" : ",")
                    .append("{\"requests\":%d,\"readBytes\":%d,\"guestFaults\":1}"
                            .formatted(requests, requests * 4096));
        }
        return "{\"name\":\"%s\",\"machine\":\"vm0\",\"queues\":[%s]}".formatted(name, queues);
    }

    @Test
    void ratesAreOfAllQueuesInASecond() {
        DeviceRates rates =
                new DeviceRates(statistics(device("d", 10, 20)), statistics(device("d", 15, 120)), 500_000_000L);
        assertThat(rates.rates()).hasSize(1);
        DeviceRates.Rate rate = rates.rates().getFirst();
        assertThat(rate.perSecond()).containsEntry("requests", 210.0).containsEntry("readBytes", 210 * 4096.0);
        assertThat(rate.perSecond()).containsEntry("writtenBytes", 0.0);
        assertThat(rate.guestFaults()).isEqualTo(2);
        assertThat(rates.table().text(false)).contains("d       vm0             210  840 KiB        0 B");
        assertThat(rates.json().at("/devices/0/perSecond/requests").asDouble()).isEqualTo(210.0);
    }

    @Test
    void aDeviceThatIsNewOrBeganAnewHasNoRateYet() {
        DeviceRates rates = new DeviceRates(
                statistics(device("again", 1000), device("gone", 5)),
                statistics(device("new", 7), device("again", 3)),
                1_000_000_000L);
        assertThat(rates.rates()).allMatch(rate -> rate.perSecond().isEmpty());
        assertThat(rates.rates().stream().map(DeviceRates.Rate::device)).containsExactly("again", "new");
        assertThat(rates.table().text(false).lines().skip(1)).allMatch(line -> line.contains(" -  "));
        assertThat(rates.json().at("/devices/0/perSecond").isEmpty()).isTrue();
    }

    @Test
    void theBusiestIsFirstAndEqualOnesStandByName() {
        DeviceRates rates = new DeviceRates(
                statistics(device("b", 0), device("a", 0), device("c", 0)),
                statistics(device("b", 5), device("a", 5), device("c", 9)),
                1_000_000_000L);
        assertThat(rates.rates().stream().map(DeviceRates.Rate::device)).isEqualTo(List.of("c", "a", "b"));
    }

    @Test
    void withoutTimeBetweenThemThereIsNoRate() {
        assertThatThrownBy(() -> new DeviceRates(statistics(), statistics(), 0))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
