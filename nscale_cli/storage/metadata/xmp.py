"""XMP packets: written by us, and read from anyone (ISO 16684-1; IPTC Photo Metadata 2025.1)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from pyexpat import XMLParserType

IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
XMP = "http://ns.adobe.com/xap/1.0/"
DUBLIN_CORE = "http://purl.org/dc/elements/1.1/"
OURS = "urn:nscale-cli:metadata/"
MADE_BY_A_MODEL = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 50
_MAX_PROPERTIES = 1000
_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="{rdf}">
<rdf:Description rdf:about="" xmlns:xmp="{xmp}" xmlns:Iptc4xmpExt="{iptc}" xmlns:nscale="{ours}">
{properties}</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""
_WIDE = (b"\xff\xfe", b"\xfe\xff")  # the marks of UTF-16, in which a zero byte is half a letter
_PREFIXES = {XMP: "xmp", IPTC: "Iptc4xmpExt", OURS: "nscale"}
Properties = dict[tuple[str, str], str]


def packet(properties: Mapping[tuple[str, str], str]) -> bytes:
    """Return a packet of simple properties, by namespace and name.

    The values must hold no character that XML has no place for.
    """
    lines = []
    for (namespace, name), value in properties.items():
        tag = f"{_PREFIXES[namespace]}:{name}"
        lines.append(f"<{tag}>{escape(value)}</{tag}>\n")
    text = _PACKET.format(rdf=_RDF, xmp=XMP, iptc=IPTC, ours=OURS, properties="".join(lines))
    return text.encode()


def properties_of(data: bytes) -> Properties:
    """Return the properties of a packet, by namespace and name; none where it makes no sense.

    The items of a list are joined by `; `. No entity is expanded, since no document type is
    accepted; and all of it is bounded.
    """
    from xml.parsers import expat

    if len(data) > _MAX_BYTES:
        return {}
    if data[:2] not in _WIDE:
        data = data.strip(b"\0 \t\r\n")
    parser = expat.ParserCreate(namespace_separator=" ")
    reader = _Reader(parser)
    try:
        parser.Parse(data, True)  # noqa: FBT003 - it has no name: this is all of it
    except (expat.ExpatError, _Refused, ValueError, LookupError):
        return {}
    return {name: "; ".join(values) for name, values in reader.found.items() if values}


class _Refused(Exception):
    """The packet is no honest one."""


class _Reader:
    """Collects the properties of each rdf:Description, from its attributes and elements."""

    def __init__(self, parser: "XMLParserType") -> None:
        self.found: dict[tuple[str, str], list[str]] = {}
        self._open: list[str] = []
        self._text: list[str] = []
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append

    def _refuse(self, *_: object) -> None:
        raise _Refused

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= _MAX_DEPTH or len(self.found) >= _MAX_PROPERTIES:
            raise _Refused
        if self._property() is None and name == f"{_RDF} Description":
            for attribute, value in attributes.items():
                self._add(attribute, value)
        self._open.append(name)
        self._text.clear()

    def _end(self, _name: str) -> None:
        if (name := self._property()) is not None:
            self._add(name, "".join(self._text))
        self._text.clear()
        self._open.pop()

    def _property(self) -> str | None:
        """Return the property that is open now: the element in the outermost Description."""
        description = f"{_RDF} Description"
        if description not in self._open:
            return None
        inside = self._open[self._open.index(description) + 1 :]
        return inside[0] if inside else None

    def _add(self, name: str, text: str) -> None:
        namespace, _, local = name.rpartition(" ")
        if namespace and namespace != _RDF and text.strip():
            self.found.setdefault((namespace, local), []).append(text.strip())
