"""A small PDF with real text, one string for each page."""


def make_pdf(*pages: str) -> bytes:
    """Return a PDF whose page n shows the n-th text; an empty text makes a blank page."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    bodies = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        lines = "".join(f"({line}) Tj T* " for line in text.split("\n")) if text else ""
        stream = f"BT /F1 12 Tf 14 TL 72 720 Td {lines}ET"
        resources = "/Resources << /Font << /F1 3 0 R >> >>"
        bodies += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R {resources} >>",
            f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        ]
    content = b"%PDF-1.4\n"
    offsets: list[int] = []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(content))
        content += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    count = len(bodies) + 1
    trailer = f"trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{len(content)}\n%%EOF\n"
    return content + f"xref\n0 {count}\n0000000000 65535 f \n{table}{trailer}".encode()
