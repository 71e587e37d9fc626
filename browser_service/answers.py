"""Composes what the browser agent answers: what was asked, short and plain, and the same as JSON. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from browser_service import reading
from browser_service.findings import Findings, Reading
from browser_service.pictures import Picture
from shared.agent import Answer, File, JsonObject, Produced


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of the page at the end. `unread` are the pieces of the request that were not understood."""

    url: str
    final_url: str
    status: int | None
    is_settled: bool
    unread: tuple[str, ...]


def compose(findings: Findings, told: Told, *, is_verification: bool) -> Iterator[Answer | Produced]:
    """Return the answer "page" and the screenshots."""
    data: JsonObject = {"url": told.url, "final_url": told.final_url, "status": told.status}
    if findings.readings:
        data["title"] = findings.readings[-1].content.title
    notes = _notes(findings, told)
    texts: list[str] = []
    if is_verification:
        texts.append(_tell_checks(findings, data))
    texts += _tell_readings(findings.readings, data, alone=not findings.parts)
    texts += _tell_parts(findings, data)
    files = [_picture_file(index, picture) for index, picture in enumerate(findings.pictures, 1)]
    if files:
        data["screenshots"] = [
            {"name": file.name, "width_px": picture.width_px, "height_px": picture.height_px}
            for file, picture in zip(files, findings.pictures, strict=True)
        ]
        if not texts:
            names = ", ".join(
                f"{file.name} ({p.width_px} × {p.height_px})" for file, p in zip(files, findings.pictures, strict=True)
            )
            texts.append(f"Screenshot of {told.final_url}: {names}.")
    if findings.cached:
        data["cache"] = [{"step": step, "cache": outcome} for step, outcome in findings.cached]
    if findings.files:
        data["files"] = [file.name for file in findings.files]
        texts += [f"Downloaded {file.name} ({len(file.content or b''):,} bytes)." for file in findings.files]
    if notes:
        data["notes"] = list[JsonValue](notes)
        texts += [f"Note: {note}" for note in notes]
    yield Answer("page", "\n\n".join(texts), data)
    yield from (Produced(file) for file in (*files, *findings.files))


def _tell_checks(findings: Findings, data: JsonObject) -> str:
    failed = [check for check in findings.checks if not check.passed]
    data["passed"] = not failed
    data["checks"] = [
        {"description": check.description, "passed": check.passed, "details": check.details}
        for check in findings.checks
    ]
    total = len(findings.checks)
    verdict = f"Passed: all {total} checks hold." if total > 1 else "Passed."
    if failed:
        verdict = f"Failed: {len(failed)} of {total} {'check' if total == 1 else 'checks'}."
    lines = [f"- {'✓' if check.passed else '✗'} {check.description}. {check.details}" for check in findings.checks]
    return "\n".join([verdict, "", *lines])


def _tell_parts(findings: Findings, data: JsonObject) -> list[str]:
    """Tell what was read off parts of pages; one thing alone without a label."""
    if findings.parts:
        data["parts"] = [{"label": part.label, "value": part.data} for part in findings.parts]
    if len(findings.parts) == 1 and not findings.readings and not findings.checks:
        return [findings.parts[0].text]
    return [f"**{part.label}:** {part.text}" for part in findings.parts]


def _tell_readings(readings: list[Reading], data: JsonObject, *, alone: bool) -> list[str]:
    """Tell what was read; one thing `alone` without a label. From several pages, each under its address."""
    pages = list(dict.fromkeys(each.content.url for each in readings))
    texts: list[str] = []
    told: dict[str, JsonObject] = {}
    for each in readings:
        text, value = reading.tell(each.content, each.what)
        page = told.setdefault(each.content.url, {"url": each.content.url, "status": each.status})
        page[each.what] = value
        label = f"**{reading.LABELS[each.what]}{f' of {each.content.url}' if len(pages) > 1 else ''}:**"
        gap = "\n\n" if "\n" in text or text.startswith("- ") else " "
        texts.append(text if len(readings) == 1 and alone else f"{label}{gap}{text}")
    for page in told.values():
        data.update({name: value for name, value in page.items() if name not in {"url", "status"}})
    if len(pages) > 1:
        data["pages"] = list[JsonValue](told.values())
    return texts


def _notes(findings: Findings, told: Told) -> list[str]:
    notes = list(findings.notes)
    if not told.is_settled:
        notes.append("The page had not finished loading; this is what it showed so far.")
    if any(each.content.is_cut for each in findings.readings):
        notes.append("The page shows more than fits into an answer; what is told here is cut.")
    if any(picture.is_cut for picture in findings.pictures):
        notes.append("The page is higher than a screenshot may be; its lower part is missing.")
    notes += [f"This part of the request was not understood: {piece[:200]!r}." for piece in told.unread]
    return notes


def _picture_file(index: int, picture: Picture) -> File:
    name = "screenshot.png" if index == 1 else f"screenshot-{index}.png"
    return File(name, "image/png", picture.content)
