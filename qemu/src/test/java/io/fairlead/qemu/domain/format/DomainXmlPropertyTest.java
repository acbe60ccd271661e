package io.fairlead.qemu.domain.format;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Documents by chance: what is read prints and reads back as the same, and nothing but a refusal comes of what is wrong. */
class DomainXmlPropertyTest {
    private static final Pattern DEVICES = Pattern.compile("(?s)(.*<devices>)(.*)(</devices>.*)");
    private static final Pattern DEVICE = Pattern.compile("(?ms)^    <(\\w+)\\b[^>]*?(?:/>|>.*?</\\1>)\\n");
    private static final String[] PIECES = {
        "<",
        ">",
        "/>",
        "'",
        "\"",
        "&",
        "&lt;",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<!DOCTYPE a>",
        "<?x?>",
        "\0",
        "../",
        "-1",
        "99999999999999999999",
        "0x",
        " xmlns='urn:x'",
        " x='y'",
        "<unknown/>",
        "\u00e4",
        "\ud83d",
        "type='vdpa'",
        "yes",
        ""
    };

    @Test
    void anyChoiceOfDevicesReadsBack() throws DomainException {
        Matcher parts = DEVICES.matcher(
                DomainXml.print(DomainXml.parse(SampleDomains.FULL).domain()));
        assertThat(parts.matches()).isTrue();
        List<String> devices = new ArrayList<>();
        Matcher each = DEVICE.matcher(parts.group(2));
        while (each.find()) {
            devices.add(each.group());
        }
        assertThat(devices).hasSizeGreaterThan(35);
        int whole = 0;
        for (int seed = 0; seed < 200; seed++) {
            Random random = new Random(seed);
            List<String> chosen = new ArrayList<>(devices);
            Collections.shuffle(chosen, random);
            String document = parts.group(1)
                    + String.join("", chosen.subList(0, random.nextInt(devices.size() + 1)))
                    + parts.group(3);
            Domain read;
            try {
                read = DomainXml.parse(document).domain();
            } catch (DomainException e) {
                // The device that the metadata speaks of was left out.
                assertThat(e).as("seed %d", seed).hasMessageContaining("ua-direct");
                continue;
            }
            whole++;
            String printed = DomainXml.print(read);
            assertThat(DomainXml.parse(printed).domain()).as("seed %d", seed).isEqualTo(read);
            assertThat(DomainXml.print(DomainXml.parse(printed).domain()))
                    .as("seed %d", seed)
                    .isEqualTo(printed);
        }
        assertThat(whole).isGreaterThan(50);
    }

    @Test
    void damagedDocumentsAreReadOrRefused() {
        int read = 0;
        int refused = 0;
        for (int seed = 0; seed < 1500; seed++) {
            Random random = new Random(seed);
            StringBuilder document = new StringBuilder(SampleDomains.FULL);
            if (random.nextBoolean()) {
                giveOneTheValueOfAnother(document, random);
            } else {
                damage(document, random);
            }
            try {
                Domain domain = DomainXml.parse(document.toString().getBytes(StandardCharsets.UTF_8))
                        .domain();
                read++;
                assertThat(DomainXml.parse(DomainXml.print(domain)).domain())
                        .as("seed %d", seed)
                        .isEqualTo(domain);
            } catch (DomainException e) {
                refused++;
                assertThat(e.line()).as("seed %d", seed).isPositive();
            } catch (RuntimeException e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
        assertThat(read).isGreaterThan(50);
        assertThat(refused).isGreaterThan(500);
    }

    private static void giveOneTheValueOfAnother(StringBuilder document, Random random) {
        List<int[]> values = new ArrayList<>();
        Matcher value = Pattern.compile("='([^']*)'").matcher(document);
        while (value.find()) {
            values.add(new int[] {value.start(1), value.end(1)});
        }
        int[] from = values.get(random.nextInt(values.size()));
        int[] to = values.get(random.nextInt(values.size()));
        StringBuilder _ = document.replace(to[0], to[1], document.substring(from[0], from[1]));
    }

    private static void damage(StringBuilder document, Random random) {
        for (int i = random.nextInt(4); i >= 0; i--) {
            int at = random.nextInt(document.length());
            int end = Math.min(document.length(), at + (random.nextBoolean() ? 0 : random.nextInt(20)));
            StringBuilder _ = document.replace(at, end, PIECES[random.nextInt(PIECES.length)]);
        }
    }
}
