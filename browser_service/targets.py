"""How a thing on a page is named, and the errors for what is not there or there more than once."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

Words = Annotated[str, Field(min_length=1, max_length=2_000)]

Use: TypeAlias = Literal["click", "fill", "select", "check", "upload", "drag", "read"]
"""What a thing is looked up for: it decides between things that fit equally well."""


class Target(BaseModel):
    """A thing on the page. What is said must all hold; a bare string is `described`.

    `described`: plain words, such as "the second 'Delete' button next to 'Bob'". `ref`: from an observation, dies with
    its document. `nth`: 1 is the first of those that fit, -1 the last. `near`: of those that fit, the one that belongs
    to that thing: in the same row or item first, then the closest. `within`: only what is inside that thing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    described: Words | None = None
    ref: Annotated[str, Field(pattern=r"^e\d{1,9}$")] | None = None
    role: Annotated[str, Field(pattern=r"^[a-z]{1,30}$")] | None = None
    name: Words | None = None
    label: Words | None = None
    placeholder: Words | None = None
    text: Words | None = None
    test_id: Words | None = None
    css: Words | None = None
    nth: Annotated[int, Field(ge=-1000, le=1000)] | None = None
    near: "Target | None" = None
    within: "Target | None" = None

    @model_validator(mode="before")
    @classmethod
    def _take_words(cls, value: object) -> object:
        return {"described": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.nth == 0:
            raise ValueError("nth counts from 1, or from the end with -1")
        said = (self.described, self.ref, self.role, self.name, self.label, self.placeholder, self.text, self.test_id)
        if all(each is None for each in (*said, self.css)):
            raise ValueError("say what is meant: described, ref, role, name, label, placeholder, text, test_id or css")
        return self

    def __str__(self) -> str:
        """Return it in words, for people."""
        parts: list[str] = []
        if self.described:
            parts.append(self.described)
        if self.ref:
            parts.append(self.ref)
        if self.role or self.name:
            parts.append(f"{self.role or 'thing'}{f' {self.name!r}' if self.name else ''}")
        for label, value in (
            ("label", self.label),
            ("placeholder", self.placeholder),
            ("text", self.text),
            ("test id", self.test_id),
            ("CSS", self.css),
        ):
            if value:
                parts.append(f"{label} {value!r}")
        words = " with ".join(parts)
        if self.nth is not None:
            words += f" (the {'last' if self.nth == -1 else f'number {self.nth}'})"
        if self.near is not None:
            words += f" near {self.near}"
        return words if self.within is None else f"{words} within {self.within}"


def described(words: str, *, near: Target | None = None) -> Target:
    """Return the thing that `words` describe."""
    return Target(described=words, near=near)
