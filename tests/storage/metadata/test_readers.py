"""What is written in image files by others, by the formats in which they write it."""

import io
import json
import struct
import zlib
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from nscale_cli.storage.metadata.blocks import MAX_TEXT_BYTES
from nscale_cli.storage.metadata.marks import Origin, embedded, sidecar
from nscale_cli.storage.metadata.readers import (
    Finding,
    Metadata,
    read_metadata,
    read_parameters,
    read_sidecar,
)
from tests.faults.odd_images import IMAGES, OTHERS, broken_exif, encoded, gradient
from tests.storage.metadata.pictures import with_chunk, with_riff_chunk, with_segment
from tests.storage.metadata.test_marks import BODY, JPEG, ORIGIN, PNG, PROMPT, SIGNED, WEBP

USER_COMMENT = 0x9286
# As https://github.com/AUTOMATIC1111/stable-diffusion-webui writes it.
PARAMETERS = """a (red:1.2) fox, snow
<lora:foxes:0.8> masterpiece
Negative prompt: blurry, lowres
text
Steps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 965400086, Size: 512x768, \
Model hash: 45dee52b, Model: dreamshaper_8, Lora hashes: "foxes: 1a2b, cats: 3c4d", \
Version: v1.6.0"""
PARAMETER_FIELDS = {
    "prompt": "a (red:1.2) fox, snow\n<lora:foxes:0.8> masterpiece",
    "negative_prompt": "blurry, lowres\ntext",
    "steps": "20",
    "sampler": "DPM++ 2M Karras",
    "guidance": "7",
    "seed": "965400086",
    "size": "512x768",
    "model": "dreamshaper_8",
    "software": "v1.6.0",
}
# As the node SaveImage of https://github.com/comfyanonymous/ComfyUI writes the default workflow.
GRAPH = {
    "3": {
        "inputs": {
            "seed": 156680208700286, "steps": 20, "cfg": 8.0, "sampler_name": "euler",
            "scheduler": "normal", "denoise": 1.0, "model": ["4", 0], "positive": ["6", 0],
            "negative": ["7", 0], "latent_image": ["5", 0],
        },
        "class_type": "KSampler",
    },
    "4": {
        "inputs": {"ckpt_name": "v1-5-pruned-emaonly.ckpt"},
        "class_type": "CheckpointLoaderSimple",
    },
    "5": {
        "inputs": {"width": 512, "height": 768, "batch_size": 1},
        "class_type": "EmptyLatentImage",
    },
    "7": {"inputs": {"text": "text, watermark", "clip": ["4", 1]}, "class_type": "CLIPTextEncode"},
    "6": {"inputs": {"text": "a red fox", "clip": ["4", 1]}, "class_type": "CLIPTextEncode"},
    "9": {
        "inputs": {"filename_prefix": "ComfyUI", "images": ["8", 0]}, "class_type": "SaveImage",
    },
}  # fmt: skip
GRAPH_FIELDS = {
    "prompt": "a red fox",
    "negative_prompt": "text, watermark",
    "seed": 156680208700286,
    "steps": 20,
    "guidance": 8.0,
    "sampler": "euler",
    "model": "v1-5-pruned-emaonly.ckpt",
    "size": "512x768",
}
FLUX_GRAPH = {
    "6": {"inputs": {"text": ["20", 0], "clip": ["11", 0]}, "class_type": "CLIPTextEncode"},
    "12": {"inputs": {"unet_name": "flux1-dev.safetensors"}, "class_type": "UNETLoader"},
    "13": {
        "inputs": {"noise": ["25", 0], "guider": ["22", 0], "sampler": ["16", 0]},
        "class_type": "SamplerCustomAdvanced",
    },
    "20": {"inputs": {"value": "a fox from a node of its own"}, "class_type": "PrimitiveString"},
    "22": {
        "inputs": {"model": ["12", 0], "conditioning": ["26", 0]}, "class_type": "BasicGuider",
    },
    "25": {"inputs": {"noise_seed": 219}, "class_type": "RandomNoise"},
    "26": {"inputs": {"guidance": 3.5, "conditioning": ["6", 0]}, "class_type": "FluxGuidance"},
    "27": {"inputs": {"width": 1024, "height": 1024}, "class_type": "EmptySD3LatentImage"},
}  # fmt: skip
# As https://github.com/filipstrand/mflux writes it, as JSON in the Exif block.
MFLUX = {
    "mflux_version": "0.17.0", "model": "black-forest-labs/FLUX.1-schnell", "base_model": "None",
    "seed": 42, "steps": 4, "guidance": None, "height": 768, "width": 1024, "precision": "bfloat16",
    "quantize": 8, "prompt": "a red fox — día", "negative_prompt": None,
}  # fmt: skip
MFLUX_FIELDS = {
    "prompt": "a red fox — día",
    "model": "black-forest-labs/FLUX.1-schnell",
    "seed": 42,
    "steps": 4,
    "size": "1024x768",
    "software": "mflux 0.17.0",
}


def with_texts(**texts: str) -> bytes:
    """Return a PNG with texts as Pillow, and so each of these programs, writes them."""
    info = PngInfo()
    for keyword, text in texts.items():
        info.add_text(keyword, text)
    return encoded(gradient(), pnginfo=info)


def with_exif(kind: str, comment: bytes | None = None, **tags: str) -> bytes:
    """Return a picture with an Exif block: a comment, and texts by the names of their tags."""
    exif = Image.Exif()
    if comment is not None:
        exif.get_ifd(0x8769)[USER_COMMENT] = comment
    for name, text in tags.items():
        exif[{"model": 0x0110, "make": 0x010F}[name]] = text
    return encoded(gradient(), kind, exif=exif.tobytes())


def wide(text: str, encoding: str = "utf-16-be") -> bytes:
    """Return a comment as piexif writes it with its encoding `unicode`."""
    return b"UNICODE\0" + text.encode(encoding)


A1111 = Finding(source="parameters (A1111)", fields=PARAMETER_FIELDS)
COMFYUI = Finding(source="ComfyUI", fields=GRAPH_FIELDS)
WRITTEN = {
    "A1111 in PNG": (with_texts(parameters=PARAMETERS), A1111),
    "A1111 in JPEG": (with_exif("jpeg", wide(PARAMETERS)), A1111),
    "A1111 in JPEG, little endian": (with_exif("jpeg", wide(PARAMETERS, "utf-16-le")), A1111),
    "A1111 in WebP": (with_exif("webp", wide(PARAMETERS)), A1111),
    "A1111 in PNG, packed": (
        with_chunk(PNG, b"zTXt", b"parameters\0\0" + zlib.compress(PARAMETERS.encode())), A1111,
    ),
    "ComfyUI in PNG": (
        with_texts(prompt=json.dumps(GRAPH), workflow=json.dumps({"nodes": []})), COMFYUI,
    ),
    "ComfyUI in WebP": (
        with_exif("webp", model=f"prompt:{json.dumps(GRAPH)}", make='workflow:{"nodes": []}'),
        COMFYUI,
    ),
    "ComfyUI in a comment": (
        with_exif("jpeg", json.dumps({"prompt": GRAPH, "workflow": {}}).encode()), COMFYUI,
    ),
    "mflux in PNG": (
        with_exif("png", b"ASCII\0\0\0" + json.dumps(MFLUX).encode()),
        Finding(source="mflux", fields=MFLUX_FIELDS),
    ),
    "mflux in PNG, older": (
        with_exif("png", json.dumps(MFLUX, ensure_ascii=False).encode()),
        Finding(source="mflux", fields=MFLUX_FIELDS),
    ),
    "a comment": (
        with_exif("jpeg", b"ASCII\0\0\0at the lake"),
        Finding(source="EXIF UserComment", fields={"text": "at the lake"}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_what_others_write_is_read(name: str) -> None:
    """Prompt, model, seed and the rest, under the same names whoever wrote them."""
    data, expected = WRITTEN[name]

    assert read_metadata(data) == Metadata(findings=(expected,))


def test_a_flux_workflow_is_followed_to_its_prompt() -> None:
    """Over the guider, and to a node that only holds the text."""
    (found,) = read_metadata(with_texts(prompt=json.dumps(FLUX_GRAPH))).findings

    assert found.fields == {
        "prompt": "a fox from a node of its own",
        "seed": 219,
        "guidance": 3.5,
        "model": "flux1-dev.safetensors",
        "size": "1024x1024",
    }


@pytest.mark.parametrize("data", [PNG, JPEG, WEBP])
def test_our_own_marks_are_read(data: bytes) -> None:
    """In full: the request as it was sent, and to which host."""
    (mark,) = read_metadata(embedded(data, ORIGIN, "mark")).findings
    (full,) = read_metadata(embedded(data, ORIGIN, "full")).findings

    assert mark.source == full.source == "nscale"
    assert mark.fields["model"] == "black-forest-labs/FLUX.1-schnell"
    assert "request" not in mark.fields
    assert full.fields == mark.fields | {
        "prompt": PROMPT,
        "size": "1024x1024",
        "request": BODY,
        "host": "inference.api.nscale.com",
    }


def test_a_sidecar_of_ours_is_read() -> None:
    """And none of anybody else."""
    found = read_sidecar(sidecar(PNG, ORIGIN, with_request=True))

    assert found is not None and found.source == "nscale sidecar"
    assert found.fields["request"] == BODY
    assert found.fields["created_at"] == "2026-11-24T12:00:00+00:00"
    for other in (b"", b"[]", b"{}", b'{"tool": "other 1"}', b"[" * 100_000):
        assert read_sidecar(other) is None


def test_credentials_are_told_of() -> None:
    """They are not verified, and nothing else is needed to see them."""
    for data in SIGNED.values():
        assert read_metadata(data) == Metadata(credentials=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a fox", {"prompt": "a fox"}),
        ("a fox\nwith: two, pairs: only", {"prompt": "a fox\nwith: two, pairs: only"}),
        ("Steps: 1, Seed: 2, Size: 8x8", {"prompt": "", "steps": "1", "seed": "2", "size": "8x8"}),
        (
            "Negative prompt: cats\nSteps: 1, Seed: 2, Size: 8x8",
            {"prompt": "", "negative_prompt": "cats", "steps": "1", "seed": "2", "size": "8x8"},
        ),
        (
            'a\nSteps: 1, Seed: 2, Model: "a, \\"b\\": c"',
            {"prompt": "a", "steps": "1", "seed": "2", "model": 'a, "b": c'},
        ),
    ],
)
def test_parameters_are_read_as_the_web_ui_reads_them(
    text: str, expected: dict[str, object]
) -> None:
    """A last line of fewer than three pairs is a part of the prompt."""
    assert read_parameters(text) == expected


XMP = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
  xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
  xmlns:xmp="http://ns.adobe.com/xap/1.0/" {attributes}>{elements}</rdf:Description>
</rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
KIND = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
AS_ELEMENTS = XMP.format(
    attributes="",
    elements=f"""
    <dc:description><rdf:Alt><rdf:li xml:lang="x-default">A fox</rdf:li><rdf:li>Ein Fuchs</rdf:li>
    </rdf:Alt></dc:description>
    <xmp:CreatorTool>MFLUX 0.17</xmp:CreatorTool>
    <Iptc4xmpExt:AISystemUsed>dall-e</Iptc4xmpExt:AISystemUsed>
    <Iptc4xmpExt:AIPromptInformation>a red &amp; white fox</Iptc4xmpExt:AIPromptInformation>
    <Iptc4xmpExt:DigitalSourceType>{KIND}</Iptc4xmpExt:DigitalSourceType>""",
)
AS_ATTRIBUTES = XMP.format(
    attributes=f'xmp:CreatorTool="Firefly" Iptc4xmpExt:DigitalSourceType="{KIND}"', elements=""
)


PLACES: dict[str, Callable[[bytes], bytes]] = {
    "png": lambda packet: with_chunk(PNG, b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet),
    "packed png": lambda packet: with_chunk(
        PNG, b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)
    ),
    "jpeg": lambda packet: with_segment(JPEG, 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet),
    "webp": lambda packet: with_riff_chunk(WEBP, b"XMP ", packet),
}


def said_by(text: str, place: str = "webp", encoding: str = "utf-8") -> tuple[Finding, ...]:
    """Return what is read in a picture of the format with the XMP packet where it belongs."""
    return read_metadata(PLACES[place](text.encode(encoding))).findings


@pytest.mark.parametrize("place", PLACES)
def test_the_fields_of_iptc_for_made_pictures_are_read(place: str) -> None:
    """As elements, as attributes, as lists."""
    (elements,) = said_by(AS_ELEMENTS, place)
    (attributes,) = said_by(AS_ATTRIBUTES, place)

    assert elements == Finding(
        source="XMP",
        fields={
            "prompt": "a red & white fox",
            "description": "A fox; Ein Fuchs",
            "model": "dall-e",
            "digital_source_type": KIND,
            "software": "MFLUX 0.17",
        },
    )
    assert attributes.fields == {"digital_source_type": KIND, "software": "Firefly"}


def test_a_packet_in_another_encoding_is_read() -> None:
    """XMP may be UTF-16, where no PNG is around it."""
    (found,) = said_by(AS_ATTRIBUTES, "jpeg", "utf-16")
    assert found.fields["software"] == "Firefly"


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha" * 1000}">' for n in range(9))
HOSTILE_XML = {
    "billion laughs": f"<!DOCTYPE x [{LAUGHS}]>" + AS_ATTRIBUTES.replace("Firefly", "&l8;"),
    "a file of this machine": '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    + AS_ATTRIBUTES.replace("Firefly", "&f;"),
    "a document type from elsewhere": '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">'
    + AS_ATTRIBUTES,
    "deep": XMP.format(attributes="", elements="<dc:x>" * 10_000),
    "unclosed": AS_ATTRIBUTES[:-60],
    "too large": XMP.format(attributes="", elements="\n" * 2_000_000),
    "unknown encoding": '<?xml version="1.0" encoding="x-odd"?>' + AS_ATTRIBUTES,
}


@pytest.mark.parametrize("name", HOSTILE_XML)
def test_a_hostile_packet_says_nothing(name: str) -> None:
    """No entity is expanded, nothing is fetched, and no depth is gone into."""
    text = HOSTILE_XML[name].replace('<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>\n', "")

    assert said_by(text) == ()


def test_many_small_pieces_of_text_take_no_time() -> None:
    """A megabyte of line breaks is joined once."""
    text = XMP.format(
        attributes="", elements="<xmp:CreatorTool>a" + "\n" * 900_000 + "b</xmp:CreatorTool>"
    )
    (found,) = said_by(text)
    assert len(str(found.fields["software"])) == 900_002


def bomb() -> bytes:
    """Return a hundred megabytes, packed to a hundred kilobytes."""
    return zlib.compress(b"a red fox, " * 10_000_000, 9)


@pytest.mark.slow
def test_a_bomb_is_unpacked_to_its_limit_only() -> None:
    """A text of 100 MB is read up to the first few."""
    data = with_chunk(PNG, b"zTXt", b"parameters\0\0" + bomb())
    (found,) = read_metadata(data).findings
    assert len(str(found.fields["prompt"])) in range(MAX_TEXT_BYTES - 20, MAX_TEXT_BYTES + 1)


def test_a_thousand_bombs_are_not_unpacked_a_thousand_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first text of a name counts; the others are not even looked into."""
    from nscale_cli.storage.metadata import png

    unpacked: list[int] = []
    monkeypatch.setattr(png, "unpacked", lambda data: unpacked.append(len(data)) or b"a fox")
    packed = zlib.compress(b"a red fox")
    data = PNG
    for _ in range(1000):
        data = with_chunk(data, b"zTXt", b"parameters\0\0" + packed)

    assert read_metadata(data).findings[0].fields == {"prompt": "a fox"}
    assert len(unpacked) == 1


def tiff(*entries: tuple[int, int, int, int], start: int = 8, tail: bytes = b"") -> bytes:
    """Return an Exif block of these entries: tag, kind, count, value."""
    body = struct.pack("<H", len(entries))
    body += b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", start) + body + tail


HOSTILE_EXIF = {
    "empty": b"",
    "no order": b"XX*\0\x08\0\0\0",
    "directory outside": tiff(start=0xFFFFFFFF),
    "directory that leads to itself": tiff((0x8769, 4, 1, 8)),
    "value outside": tiff((0x9286, 7, 100, 0xFFFFFF00)),
    "huge value": tiff((0x9286, 7, 0xFFFFFFFF, 8), tail=b"x" * 100),
    "huge count": tiff((0x9286, 4, 0xFFFFFFFF, 8)),
    "too many entries": b"II*\0\x08\0\0\0\xff\xff" + bytes(12) * 65_535,
    "cut off": tiff((0x9286, 7, 100, 8))[:15],
}


@pytest.mark.parametrize("name", HOSTILE_EXIF)
def test_a_hostile_exif_block_is_harmless(name: str) -> None:
    """It says nothing, or nonsense, and never more than it holds."""
    block = HOSTILE_EXIF[name]
    for data in (
        with_chunk(PNG, b"eXIf", block),
        with_riff_chunk(WEBP, b"EXIF", block),
    ):
        for found in read_metadata(data).findings:
            assert found.source == "EXIF UserComment"
            assert len(str(found.fields["text"])) <= len(block)


HOSTILE = {
    "PNG of a chunk of 4 GB": PNG[:33] + b"\xff\xff\xff\xfftEXtparameters\0x",
    "PNG of empty chunks": PNG[:33] + bytes(4) + b"tEXt" + bytes(4) + PNG[33:],
    "PNG of a million chunks": PNG[:33] + (bytes(4) + b"abCd" + bytes(4)) * 1_000_000,
    "text without an end": with_chunk(PNG, b"tEXt", b"parameters"),
    "packed text that is none": with_chunk(PNG, b"zTXt", b"parameters\0\0nonsense"),
    "short international text": with_chunk(PNG, b"iTXt", b"parameters\0"),
    "JPEG of padding": b"\xff\xd8" + b"\xff" * 3_000_000,
    "JPEG of empty segments": b"\xff\xd8\xff" + b"\xe1\0\0\xff" * 1000,
    "JPEG of a segment beyond its end": b"\xff\xd8\xff\xe1\xff\xffExif\0\0",
    "WebP of a million chunks": b"RIFF\xff\xff\xff\x7fWEBP" + b"abcd\0\0\0\0" * 1_000_000,
    "WebP of a chunk of 4 GB": b"RIFF\xff\xff\xff\xffWEBPXMP \xff\xff\xff\xffx",
    "deep JSON": with_texts(prompt="[" * 1_000_000),
    "huge number": with_texts(prompt='{"a": ' + "9" * 100_000 + "}"),
    "nothing but pairs": with_texts(parameters="a:" * 9_000),
    "open quotes": with_texts(parameters='a:"b,' * 3_900),
    "spaces": with_texts(parameters="x\n" + " " * 19_000 + "x"),
    "long words": with_texts(parameters="x\n" + "word " * 3_900),
    "a graph that runs in circles": with_texts(
        prompt=json.dumps(
            {
                str(n): {
                    "class_type": "X",
                    "inputs": {"positive": [str((n + 1) % 500), 0], "a": [[str(n), 0]] * 500},
                }
                for n in range(500)
            }
        )
    ),
    "a graph of odd values": with_texts(
        prompt=json.dumps(
            {"1": None, "2": {"inputs": []}, "3": {"inputs": {"positive": [[], {}]},
             "class_type": ["x"]}, "4": {"inputs": {"positive": ["4", 0]}, "class_type": 4}}
        )
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_read_to_its_end(name: str) -> None:
    """Whatever it claims, reading it takes a moment, and raises nothing."""
    read_metadata(HOSTILE[name])


@pytest.mark.parametrize("name", [*IMAGES, *OTHERS])
def test_an_odd_file_is_read(name: str) -> None:
    """As far as it makes sense."""
    read_metadata({**IMAGES, **OTHERS}[name]())


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_a_file_cut_off_anywhere_is_read(kind: str) -> None:
    """Each length of it, and each says that it is not whole until it is."""
    data = embedded({"png": PNG, "jpeg": JPEG, "webp": WEBP}[kind], ORIGIN, "full")
    cut = [read_metadata(data[:length]).whole for length in range(12, len(data) - 1, 7)]

    assert read_metadata(data).whole
    if kind != "jpeg":  # whose picture runs to the end without saying how long it is
        assert not any(cut)


def test_a_broken_exif_block_of_a_camera_is_read() -> None:
    """It points nowhere."""
    assert read_metadata(broken_exif()).findings == ()


def test_metadata_written_twice_are_told_by_their_writers() -> None:
    """Each finding says who left it."""
    data = with_texts(parameters=PARAMETERS, prompt=json.dumps(GRAPH))
    stream = io.BytesIO(data)
    with Image.open(stream) as picture:
        picture.load()
    sources = [found.source for found in read_metadata(data).findings]
    assert sources == ["parameters (A1111)", "ComfyUI"]


def test_times_are_kept_with_their_zone() -> None:
    """A sidecar's time means the same everywhere."""
    local = datetime(2026, 1, 1, tzinfo=UTC).astimezone()
    origin = Origin(body=BODY, host="h", created_at=local)
    found = read_sidecar(sidecar(PNG, origin, with_request=True))
    assert found is not None and found.fields["created_at"] == "2026-01-01T00:00:00+00:00"
