"""Many reports: a file in, its dated texts out (/v1/reports); labelled reports in, who stood where out (/v1/trend)."""

import asyncio
import base64
import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from fastapi import APIRouter, Request
from pydantic import Base64Encoder, BaseModel, ConfigDict, EncodedBytes, Field, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from serving.article.statements import Article, ArticleStatement, Span
from serving.article.text.dates import Order
from serving.article.text.files import PAGES, TEXTS
from serving.article.text.front import without_front_matter
from serving.article.text.reports import Report, is_table, read_report, read_table
from serving.article.trends import Period
from serving.errors import StancewiseError
from serving.language.detect import UNKNOWN
from serving.server.engine import engine_of
from serving.server.problems import REFUSALS, parsed
from serving.server.routes.article import TargetName, body_of
from serving.statement import NAME_CHARACTERS, HeadPrediction, Name, Text

if TYPE_CHECKING:
    from serving.article.output.trend import Trend

router = APIRouter()
T = TypeVar("T")

TABLES = (".csv", ".jsonl")
MOST_REPORTS = 20_000
MOST_NOTES = 20
_STEM = 150  # bytes of a file's name that are kept: what it is written under has to be a name, too
_SUMS_TO_ONE = 0.01


class StrictBase64(Base64Encoder):
    """Base64, perhaps in lines; pydantic's own passes over whatever else stands in it."""

    @classmethod
    def decode(cls, data: bytes) -> bytes:
        """The bytes."""
        try:
            return base64.b64decode(b"".join(data.split()), validate=True)
        except ValueError:
            raise PydanticCustomError("base64_decode", "it is no Base64") from None


class FileQuery(BaseModel):
    """A file with a report, or a table with one in each row."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Text, Field(min_length=1, max_length=NAME_CHARACTERS)] = Field(
        description=f"with its extension ({', '.join((*TEXTS, *PAGES, *TABLES))}) and perhaps its day"
    )
    content: Annotated[bytes, EncodedBytes(encoder=StrictBase64)] = Field(
        description="the bytes of the file, in Base64"
    )
    dates: Order | None = Field(
        default=None, description="how dates such as 03/04/2026 are read; null: they are refused"
    )


class DatedText(BaseModel):
    """A report of a file."""

    name: str
    text: str
    date: datetime.date | None
    source: str | None


class FileReply(BaseModel):
    """The reports of a file, and what is wrong with what could not be read."""

    reports: list[DatedText]
    problems: list[str]


class Sentence(BaseModel):
    """The evidence."""

    text: Annotated[Text, Field(max_length=100_000)]


class Probabilities(BaseModel):
    """Of the stances."""

    model_config = ConfigDict(extra="forbid")

    support: Annotated[float, Field(ge=0, le=1)]
    neutrality: Annotated[float, Field(ge=0, le=1)]
    criticism: Annotated[float, Field(ge=0, le=1)]

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        if abs(self.support + self.neutrality + self.criticism - 1) > _SUMS_TO_ONE:
            raise ValueError("they have to sum to 1")
        return self


class Stance(BaseModel):
    """A calibrated answer, as /v1/article gives it."""

    label: Literal["support", "neutrality", "criticism"]
    probabilities: Probabilities
    abstained: bool = False


class Said(BaseModel):
    """A statement of a report; the other fields that /v1/article gives may stay in it."""

    speaker: Name = None
    target: TargetName
    sentence: Sentence
    stance: Stance | None = None
    language: Annotated[Text, Field(max_length=40)] = UNKNOWN
    foreign: bool = False

    def statement(self) -> ArticleStatement:
        """As a statement of an article, of which only what trends need is known."""
        nowhere = Span(start=0, end=0, text="")
        return ArticleStatement(
            speaker=self.speaker,
            target=self.target,
            kind="author",
            speaker_mention=None,
            cue=None,
            content=(),
            target_mention=nowhere,
            sentiment=None,
            sentence=Span(start=0, end=len(self.sentence.text), text=self.sentence.text),
            stance=HeadPrediction(**self.stance.model_dump()) if self.stance else None,
            abstained=bool(self.stance and self.stance.abstained),
            language=self.language,
            foreign=self.foreign,
        )


class LabelledReport(BaseModel):
    """A dated report with its statements."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Text, Field(max_length=2 * NAME_CHARACTERS)]
    # Days around have to be days, too.
    date: Annotated[datetime.date, Field(ge=datetime.date(2, 1, 1), le=datetime.date(9998, 12, 31))]
    source: Name = None
    statements: list[Said]


class TrendQuery(BaseModel):
    """Labelled reports, and what their trend is to be like."""

    model_config = ConfigDict(extra="forbid")

    reports: Annotated[list[LabelledReport], Field(min_length=1, max_length=MOST_REPORTS)]
    period: Period = "month"
    notes: Annotated[list[Annotated[Text, Field(max_length=2_000)]], Field(max_length=MOST_NOTES)] = Field(
        default=[], description="said above the page"
    )
    only_view: bool = Field(default=False, description="of the page only what stands in it, without style and script")


class TrendReply(BaseModel):
    """The rows of the functions of serving.article.trends."""

    periods: list[dict[str, Any]] = Field(description="of by_period")
    sources: list[dict[str, Any]] = Field(description="of by_period, each source by itself")
    changes: list[dict[str, Any]] = Field(description="of changes")
    differences: list[dict[str, Any]] = Field(description="of differences")
    statements: list[dict[str, Any]] = Field(description="of statements")


FILE_QUERY = TypeAdapter(FileQuery)
TREND_QUERY = TypeAdapter(TrendQuery)
FILE_EXAMPLE = {"name": "2026-03-14-quay.txt", "content": "VGhlIG1heW9yIGhhaWxlZCB0aGUgdHJhbSBwbGFuLg=="}
TREND_EXAMPLE = {
    "period": "month",
    "reports": [
        {
            "name": "2026-03-14-quay.txt",
            "date": "2026-03-14",
            "source": "Quay Post",
            "statements": [
                {
                    "speaker": "The mayor",
                    "target": "the tram plan",
                    "sentence": {"text": "The mayor hailed the tram plan."},
                    "stance": {
                        "label": "support",
                        "probabilities": {"support": 0.93, "neutrality": 0.04, "criticism": 0.03},
                        "abstained": False,
                    },
                }
            ],
        }
    ],
}
HTML: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}


@router.post(
    "/v1/reports",
    response_model=FileReply,
    responses=REFUSALS,
    openapi_extra=body_of(FILE_QUERY, FILE_EXAMPLE),
    summary="Read the dated reports of a file",
)
async def reports(request: Request) -> Response:
    """The texts of a file with their days and sources, as `python -m serving article --trend` reads them."""
    query = parsed(FILE_QUERY, request.state.body)
    reply = await _in_a_thread(request, lambda: read(query))
    return Response(reply.model_dump_json(), media_type="application/json")


@router.post(
    "/v1/trend",
    response_model=TrendReply,
    responses={**REFUSALS, **HTML},
    openapi_extra=body_of(TREND_QUERY, TREND_EXAMPLE),
    summary="Who stood where in each period, and what changed, of labelled reports",
)
async def trend(request: Request) -> Response:
    """The rows of periods, changes and statements; with `Accept: text/html` the page of `--output trend.html`."""
    query = parsed(TREND_QUERY, request.state.body)
    request.state.fields = {"reports": len(query.reports)}
    if "text/html" in request.headers.get("accept", ""):
        page = await _in_a_thread(request, lambda: render(query))
        return Response(page, media_type="text/html")
    reply = await _in_a_thread(request, lambda: rows(query))
    return Response(reply.model_dump_json(), media_type="application/json")


def read(query: FileQuery) -> FileReply:
    """The reports of a file; a mistake in it becomes a problem, in which the file has its own name."""
    named = Path(query.name.replace("\0", "").replace("\\", "/")).name
    kind = Path(named).suffix.lower()
    if kind not in TEXTS + PAGES + TABLES:
        known = f"{', '.join((*TEXTS, *PAGES))} or, of a table with a report in each row, {', '.join(TABLES)}"
        return FileReply(reports=[], problems=[f"{named}: of no known kind; give {known}"])
    with TemporaryDirectory() as folder:
        stem = Path(named).stem.encode()[:_STEM].decode(errors="ignore")
        path = Path(folder) / f"{stem}{kind}"
        path.write_bytes(query.content)
        try:
            found, problems = _of(path, query.dates)
        except StancewiseError as error:
            found, problems = [], [str(error)]
        texts = [
            DatedText(
                name=one.name.replace(str(path), named),
                text=without_front_matter(one.text),
                date=one.date,
                source=one.source,
            )
            for one in found
        ]
        return FileReply(reports=texts, problems=[one.replace(str(path), named) for one in problems])


def rows(query: TrendQuery) -> TrendReply:
    """What /v1/trend answers as JSON."""
    from serving.article.output.trend import records

    found = trend_of(query)
    tables = ("periods", "sources", "changes", "differences", "statements")
    return TrendReply(**{name: records(getattr(found, name)) for name in tables})


def render(query: TrendQuery) -> str:
    """What /v1/trend answers as a page."""
    from serving.article.output.trend_page import render as page_of
    from serving.article.output.trend_page import view

    found = trend_of(query)
    return view(found) if query.only_view else page_of(found)


def trend_of(query: TrendQuery) -> "Trend":
    """The trend of the reports, with names that differ by spelling or titles as one."""
    from serving.article.entities import merged
    from serving.article.output.trend import Trend
    from serving.article.trends import by_period, changes, differences, statements

    labelled = labelled_of(query)
    entities = merged(labelled)
    return Trend(
        period=query.period,
        periods=by_period(labelled, query.period, entities=entities),
        changes=changes(labelled, period=query.period, entities=entities),
        notes=query.notes,
        differences=differences(labelled, entities),
        sources=by_period(labelled, query.period, by_source=True, entities=entities),
        statements=statements(labelled, query.period, entities),
    )


def labelled_of(query: TrendQuery) -> list[tuple[Report, Article]]:
    """The reports as the functions of serving.article.trends take them."""
    return [
        (
            Report(one.name, "", one.date, one.source),
            Article(name=one.name, text="", statements=[said.statement() for said in one.statements]),
        )
        for one in query.reports
    ]


def _of(path: Path, order: Order | None) -> tuple[Sequence[Report], list[str]]:
    if is_table(path):
        return read_table(path, order)
    return [read_report(path, path.suffix.lower() in PAGES, order)], []


async def _in_a_thread(request: Request, work: Callable[[], T]) -> T:
    """Does what takes a while beside the event loop; as many at a time as there may be articles."""
    reader = engine_of(request).reader
    reader.take()
    try:
        return await asyncio.to_thread(work)
    finally:
        reader.leave()
