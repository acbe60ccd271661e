package io.fairlead.qemu.domain.xml;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class XmlParserTest {
    @Test
    void whatIsPrintedReadsBack() throws XmlException {
        String document =
                "<a x='1 &amp; &lt;&apos;&#10;'><!-- gone --><b/>\n <c>te<!-- cut -->xt &gt; <![CDATA[<raw>]]></c>"
                        + "<n:m xmlns:n='urn:n' n:y='2'>mixed <i>in</i> line</n:m><d xmlns='urn:d'><e/></d></a>";
        XmlElement read = XmlParser.parse(document);
        String printed = XmlPrinter.print(read);
        assertThat(XmlParser.parse(printed)).isEqualTo(read);
        assertThat(XmlPrinter.print(XmlParser.parse(printed))).isEqualTo(printed);
        assertThat(read.attribute("x")).isEqualTo("1 & <'\n");
        assertThat(read.children().get(1).text()).isEqualTo("text > <raw>");
        assertThat(printed).contains("<n:m xmlns:n='urn:n' n:y='2'>mixed <i>in</i> line</n:m>");
    }

    @Test
    void linesAreThoseOfTheDocument() throws XmlException {
        XmlElement root = XmlParser.parse("<a>\n\n  <b/>\n</a>");
        assertThat(root.children().getFirst().line()).isEqualTo(3);
    }

    @Test
    void documentTypesAreRefused() {
        String bomb = "<!DOCTYPE a [<!ENTITY l 'lol'>"
                + IntStream.range(0, 9)
                        .mapToObj(i -> "<!ENTITY l" + i + " '" + ("&l" + (i == 0 ? "" : i - 1) + ";").repeat(10) + "'>")
                        .collect(Collectors.joining())
                + "]><a>&l8;</a>";
        assertThatThrownBy(() -> XmlParser.parse(bomb))
                .isInstanceOf(XmlException.class)
                .hasMessageContaining("document type");
        assertThatThrownBy(() -> XmlParser.parse("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>"))
                .isInstanceOf(XmlException.class)
                .hasMessageContaining("document type");
        assertThatThrownBy(() ->
                        XmlParser.parse("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a b='&x;'>&x;</a>"))
                .isInstanceOf(XmlException.class);
    }

    @Test
    void undeclaredEntitiesAreRefused() {
        assertThatThrownBy(() -> XmlParser.parse("<a>&nothing;</a>")).isInstanceOf(XmlException.class);
    }

    @Test
    void boundsHold() throws XmlException {
        assertThat(XmlParser.parse("<a>".repeat(XmlParser.MAX_DEPTH) + "</a>".repeat(XmlParser.MAX_DEPTH)))
                .isNotNull();
        int deep = XmlParser.MAX_DEPTH + 1;
        assertThatThrownBy(() -> XmlParser.parse("<a>".repeat(deep) + "</a>".repeat(deep)))
                .hasMessageContaining("deep");
        assertThat(XmlParser.parse("<a>" + "<b/>".repeat(XmlParser.MAX_ELEMENTS - 1) + "</a>"))
                .isNotNull();
        assertThatThrownBy(() -> XmlParser.parse("<a>" + "<b/>".repeat(XmlParser.MAX_ELEMENTS) + "</a>"))
                .hasMessageContaining("elements");
        assertThatThrownBy(() -> XmlParser.parse(new byte[XmlParser.MAX_BYTES + 1]))
                .hasMessageContaining("bytes");
        String attributes =
                IntStream.range(0, 65).mapToObj(i -> " a" + i + "=''").collect(Collectors.joining());
        assertThatThrownBy(() -> XmlParser.parse("<a" + attributes + "/>")).hasMessageContaining("attributes");
    }

    /** Text in many pieces is put together once and not for each piece. */
    @Test
    void commentsThatCutTextCostNoMoreThanText() throws XmlException {
        String document = "<a>" + "x<!---->".repeat(120_000) + "</a>";
        assertThat(XmlParser.parse(document).text()).hasSize(120_000);
    }

    @Test
    void whatIsNotXmlIsRefusedWithItsLine() {
        for (String wrong :
                new String[] {"", "   ", "<a>", "<a></b>", "<a b='1' b='2'/>", "text", "<a/><b/>", "<x:a/>", "\0"}) {
            assertThatThrownBy(() -> XmlParser.parse(wrong))
                    .as(wrong)
                    .isInstanceOfSatisfying(
                            XmlException.class, e -> assertThat(e.line()).isPositive());
        }
        assertThatThrownBy(() -> XmlParser.parse("<a>\n<b>\n</a>"))
                .isInstanceOfSatisfying(
                        XmlException.class, e -> assertThat(e.line()).isEqualTo(3));
    }

    @Test
    void theDeclaredEncodingIsTaken() throws XmlException {
        byte[] latin = "<?xml version='1.0' encoding='ISO-8859-1'?><a>\u00e4</a>".getBytes(StandardCharsets.ISO_8859_1);
        assertThat(XmlParser.parse(latin).text()).isEqualTo("\u00e4");
    }

    @Test
    void charactersThatXmlCannotCarryAreNotPrinted() {
        assertThatThrownBy(() -> XmlPrinter.print(XmlElement.of("a").with("b", "\u0001")))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
