package io.fairlead.bench.net;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What goes between the host and a guest, and how it is measured: by a program of the host that talks to the guest. */
enum GuestTraffic {
    TCP_TO_GUEST("tcp-to-guest", "Gbit/s", "GiB", ""),
    TCP_FROM_GUEST("tcp-from-guest", "Gbit/s", "GiB", " -R"),
    UDP_TO_GUEST("udp-64-to-guest", "packets/s", "packet", Small.UDP),
    UDP_FROM_GUEST("udp-64-from-guest", "packets/s", "packet", Small.UDP + " -R"),
    PING("round-trip", "us", "round trip", "");

    static final String PREFIX = "guest/";

    private static final JsonMapper JSON = new JsonMapper();
    private static final Pattern TIME = Pattern.compile("time=([0-9.]+) ms");
    private static final double BITS_PER_GBIT = 1e9;
    private static final double BYTES_PER_GIB = 1 << 30;
    private static final double MICROS_PER_MILLI = 1e3;
    private static final double NANOS_PER_SECOND = 1e9;
    private static final double NANOS_PER_MICRO = 1e3;

    /** Packets that make frames of 64 bytes, as fast as the sender can. */
    private static final class Small {
        /** Without the headers of UDP, IPv4 and Ethernet, and the sum that Ethernet adds. */
        static final int PAYLOAD_BYTES = 64 - 8 - 20 - 14 - 4;

        static final String UDP = " -u -b 0 -l " + PAYLOAD_BYTES;

        private Small() {}
    }

    private final String label;
    private final String unit;
    private final String amount;
    private final String iperf;

    GuestTraffic(String label, String unit, String amount, String iperf) {
        this.label = label;
        this.unit = unit;
        this.amount = amount;
        this.iperf = iperf;
    }

    /**
     * What one run measured.
     *
     * @param value in {@link #unit}
     * @param amount that went over: GiB, packets or round trips
     */
    record Outcome(double value, double amount) {}

    /** The row's name. */
    String rowName() {
        return PREFIX + label;
    }

    /** Of what {@link Outcome#value} is. */
    String unit() {
        return unit;
    }

    /** The unit of processor time for one {@link Outcome#amount}. */
    String cpuUnit() {
        return (amount.equals("GiB") ? "s/" : "us/") + amount;
    }

    /** @return in {@link #cpuUnit} */
    double cpu(long nanos, Outcome outcome) {
        return nanos / (amount.equals("GiB") ? NANOS_PER_SECOND : NANOS_PER_MICRO) / outcome.amount;
    }

    /** The program of the guests' user land. */
    String program() {
        return this == PING ? "usr/bin/ping" : "usr/bin/iperf3";
    }

    /** Its arguments. */
    List<String> arguments(String address, long seconds) {
        String time = Long.toString(seconds);
        if (this == PING) {
            // The next as soon as the answer is there.
            return List.of("-n", "-A", "-w", time, address);
        }
        return List.of("-c %s -t %s -J%s".formatted(address, time, iperf).split(" ", -1));
    }

    /**
     * Reads what the program wrote.
     *
     * @throws IOException where nothing came over
     */
    Outcome outcome(String written) throws IOException {
        if (this == PING) {
            return roundTrips(written);
        }
        JsonNode received;
        try {
            received = JSON.readTree(written).path("end").path("sum_received");
        } catch (JacksonException e) {
            throw new IOException("iperf3 did not write a report: " + written, e);
        }
        double bytes = received.path("bytes").asDouble(0);
        double seconds = received.path("seconds").asDouble(0);
        if (bytes <= 0 || seconds <= 0) {
            throw new IOException("iperf3 had nothing come over: " + written);
        }
        if (iperf.contains("-u")) {
            double packets = bytes / Small.PAYLOAD_BYTES;
            return new Outcome(packets / seconds, packets);
        }
        return new Outcome(bytes * Byte.SIZE / seconds / BITS_PER_GBIT, bytes / BYTES_PER_GIB);
    }

    private static Outcome roundTrips(String written) throws IOException {
        Matcher matcher = TIME.matcher(written);
        double[] millis = matcher.results()
                .mapToDouble(result -> Double.parseDouble(result.group(1)))
                .toArray();
        if (millis.length == 0) {
            throw new IOException("no ping was answered: " + written);
        }
        Arrays.sort(millis);
        return new Outcome(millis[millis.length / 2] * MICROS_PER_MILLI, millis.length);
    }
}
