//! The two text formats, line by line.

use std::borrow::Cow;

use model::metric::{Labels, LabelsBuilder, MetricType};

use super::labels::{LabelSpan, SeriesLabels, Source, slice, unescape, unescape_help};
use super::starts::Starts;
use super::strict::{Sample, Strict};
use super::{Entry, Error, Format, Options, PageExemplar, Series, number};

/// What a byte may be part of.
const NAME_START: u8 = 1;
const NAME: u8 = 2;
const LABEL_START: u8 = 4;
const LABEL: u8 = 8;
const VALUE_END: u8 = 16;

const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        let letter = byte.is_ascii_alphabetic() || byte == b'_';
        let mut class = 0;
        if letter {
            class |= NAME_START | NAME | LABEL_START | LABEL;
        }
        if byte == b':' {
            class |= NAME_START | NAME;
        }
        if byte.is_ascii_digit() {
            class |= NAME | LABEL;
        }
        if matches!(byte, b' ' | b'\n' | b'\t' | b'{') {
            class |= VALUE_END;
        }
        table[byte as usize] = class;
        if byte == 255 {
            return table;
        }
        byte += 1;
    }
}

/// Labels of one series and its exemplar: a page with more is refused, whatever the limits of those
/// who read it.
const LABELS_MAX: usize = 20_000;

/// What the names of creation times end with.
const CREATED: &str = "_created";

/// What is wrong in a line; where is known by the cursor.
type Found<T> = Result<T, String>;

#[derive(Debug)]
pub(super) struct LineParser<'b> {
    body: &'b str,
    at: usize,
    line_start: usize,
    openmetrics: bool,
    done: bool,
    /// Of the last `# TYPE`.
    kind: MetricType,
    name: (usize, usize),
    spans: Vec<LabelSpan>,
    exemplars: Vec<PageExemplar>,
    /// When creation times are asked for and there are any.
    starts: Option<Starts>,
    strict: Option<Box<Strict>>,
}

/// What a line was found to be, before anything is lent out.
#[derive(Debug, Clone, Copy)]
enum Line {
    Type(MetricType),
    Help((usize, usize)),
    Unit((usize, usize)),
    Comment((usize, usize)),
    Sample { key_end: usize, value: f64, timestamp: Option<i64> },
}

impl<'b> LineParser<'b> {
    pub(super) fn new(
        body: &'b [u8],
        format: Format,
        options: Options,
    ) -> Result<LineParser<'b>, Error> {
        let body = simdutf8::compat::from_utf8(body).map_err(|error| Error {
            line: line_of(body, error.valid_up_to()),
            problem: "text is not UTF-8".to_owned(),
        })?;
        Ok(LineParser {
            body,
            at: 0,
            line_start: 0,
            openmetrics: format == Format::OpenMetrics,
            done: false,
            kind: MetricType::Unknown,
            name: (0, 0),
            spans: Vec::new(),
            exemplars: Vec::new(),
            starts: (options.start_timestamps
                && format == Format::OpenMetrics
                && memchr::memmem::find(body.as_bytes(), CREATED.as_bytes()).is_some())
            .then(Starts::default),
            strict: options.strict.then(|| Box::new(Strict::new(format))),
        })
    }

    pub(super) fn next(&mut self) -> Option<Result<Entry<'_>, Error>> {
        if self.done {
            return None;
        }
        match self.wanted() {
            Ok(Some(line)) => Some(Ok(self.entry(line))),
            Ok(None) => {
                self.done = true;
                None
            }
            Err(problem) => {
                self.done = true;
                Some(Err(self.error(&problem)))
            }
        }
    }

    /// The next line that becomes an entry.
    #[inline]
    fn wanted(&mut self) -> Found<Option<Line>> {
        loop {
            let line = self.line()?;
            if self.strict.is_some() {
                self.check(line.as_ref())?;
            }
            match &line {
                Some(Line::Type(_)) if self.starts.is_some() => self.find_starts()?,
                Some(Line::Sample { .. }) if self.is_created() => continue,
                _ => {}
            }
            return Ok(line);
        }
    }

    #[cold]
    fn check(&mut self, line: Option<&Line>) -> Found<()> {
        let Some(mut strict) = self.strict.take() else { return Ok(()) };
        let metric = unescape(slice(self.body, self.name));
        let checked = match line {
            None => strict.finish(),
            Some(Line::Type(kind)) => strict.kind(&metric, *kind),
            Some(Line::Help(_)) => strict.help(&metric),
            Some(Line::Unit(unit)) => strict.unit(&metric, slice(self.body, *unit)),
            Some(Line::Comment(_)) => Ok(()),
            Some(Line::Sample { key_end, value, timestamp }) => strict.sample(&Sample {
                labels: self.labels_of(*key_end),
                value: *value,
                timestamp: *timestamp,
                exemplars: &self.exemplars,
            }),
        };
        self.strict = Some(strict);
        checked
    }

    fn has_starts(kind: MetricType) -> bool {
        matches!(kind, MetricType::Counter | MetricType::Histogram | MetricType::Summary)
    }

    /// Whether the sample at hand is a creation time that its series have already.
    #[inline]
    fn is_created(&self) -> bool {
        self.starts.as_ref().is_some_and(|starts| !starts.is_empty())
            && slice(self.body, self.name).ends_with(CREATED)
            && LineParser::has_starts(self.kind)
    }

    /// Reads the creation times of the family that begins here.
    fn find_starts(&mut self) -> Found<()> {
        let Some(mut starts) = self.starts.take() else { return Ok(()) };
        starts.clear();
        if LineParser::has_starts(self.kind) {
            let family = unescape(slice(self.body, self.name)).into_owned();
            let mut ahead = LineParser {
                body: self.body,
                at: self.at,
                line_start: self.at,
                openmetrics: true,
                done: false,
                kind: MetricType::Unknown,
                name: (0, 0),
                spans: Vec::new(),
                exemplars: Vec::new(),
                starts: None,
                strict: None,
            };
            while ahead.goes_to_created(&family) {
                // What is wrong is found when it is its turn.
                let Ok(Line::Sample { key_end, value, .. }) = ahead.sample() else { break };
                #[expect(clippy::cast_possible_truncation, reason = "saturates")]
                let start = (value * 1_000.0) as i64;
                starts.insert(ahead.labels_of(key_end), start);
            }
        }
        self.starts = Some(starts);
        Ok(())
    }

    /// Goes to the family's next creation time; `false` at the family's end.
    fn goes_to_created(&mut self, family: &str) -> bool {
        loop {
            let rest = self.body.get(self.at..).unwrap_or("");
            if rest.is_empty() || rest.starts_with("# TYPE ") || rest.starts_with("# EOF") {
                return false;
            }
            self.line_start = self.at;
            let name = rest.strip_prefix("{\"").unwrap_or(rest);
            if name.strip_prefix(family).is_some_and(|rest| rest.starts_with(CREATED)) {
                return true;
            }
            match memchr::memchr(b'\n', rest.as_bytes()) {
                Some(end) => self.at += end + 1,
                None => return false,
            }
        }
    }

    #[inline]
    fn labels_of(&self, key_end: usize) -> SeriesLabels<'_> {
        SeriesLabels(Source::Text {
            body: self.body,
            key: slice(self.body, (self.line_start, key_end)),
            name: self.name,
            spans: &self.spans,
            kind: self.kind,
        })
    }

    #[cold]
    fn error(&self, problem: &str) -> Error {
        const NEAR: usize = 80;
        let line = line_of(self.body.as_bytes(), self.line_start);
        let mut end = self.at.max(self.line_start).min(self.line_start + NEAR);
        end = (end + 1).min(self.body.len());
        while !self.body.is_char_boundary(end) {
            end += 1;
        }
        let near = slice(self.body, (self.line_start, end));
        Error { line, problem: format!("{problem} while parsing: {near:?}") }
    }

    fn entry(&self, line: Line) -> Entry<'_> {
        let metric = || unescape(slice(self.body, self.name));
        match line {
            Line::Type(kind) => Entry::Type { metric: metric(), kind },
            Line::Help(text) => {
                let text = slice(self.body, text);
                let help = if self.openmetrics { unescape(text) } else { unescape_help(text) };
                Entry::Help { metric: metric(), help }
            }
            Line::Unit(text) => {
                Entry::Unit { metric: metric(), unit: Cow::Borrowed(slice(self.body, text)) }
            }
            Line::Comment(text) => Entry::Comment(slice(self.body, text)),
            Line::Sample { key_end, value, timestamp } => {
                let labels = self.labels_of(key_end);
                let start = self.starts.as_ref().map_or(0, |starts| starts.of(labels));
                Entry::Series(Series {
                    labels,
                    value,
                    timestamp,
                    start,
                    exemplars: &self.exemplars,
                })
            }
        }
    }

    #[inline]
    fn bytes(&self) -> &'b [u8] {
        self.body.as_bytes()
    }

    /// The byte at the cursor; a line's end at the end.
    #[inline]
    fn peek(&self) -> u8 {
        self.bytes().get(self.at).copied().unwrap_or(b'\n')
    }

    #[inline]
    fn skip_blanks(&mut self) {
        if !self.openmetrics {
            while matches!(self.peek(), b' ' | b'\t') && self.at < self.body.len() {
                self.at += 1;
            }
        }
    }

    /// Reads a line; `None` at the end of the page.
    fn line(&mut self) -> Found<Option<Line>> {
        loop {
            self.line_start = self.at;
            if self.at >= self.body.len() {
                return if self.openmetrics {
                    Err("data does not end with # EOF".to_owned())
                } else {
                    Ok(None)
                };
            }
            self.skip_blanks();
            self.line_start = self.at;
            match self.peek() {
                b'\n' if !self.openmetrics => self.at += 1,
                b'#' => return self.meta(),
                _ => return self.sample().map(Some),
            }
        }
    }

    fn sample(&mut self) -> Found<Line> {
        self.spans.clear();
        self.exemplars.clear();
        let start = self.at;
        let mut named = false;
        if CLASSES[usize::from(self.peek())] & NAME_START != 0 {
            self.at = self.span_end(start, NAME);
            self.name = (start, self.at);
            named = true;
        } else if self.peek() != b'{' {
            return Err("expected a valid start token".to_owned());
        }
        let mut key_end = self.at;
        self.skip_blanks();
        if self.peek() == b'{' {
            self.at += 1;
            self.labels(&mut named)?;
            key_end = self.at;
        }
        if !named {
            return Err("metric name not set".to_owned());
        }
        if self.openmetrics { self.openmetrics_suffix(key_end) } else { self.text_suffix(key_end) }
    }

    /// The end of the run of bytes of `class` that starts at `start`.
    #[inline]
    fn span_end(&self, start: usize, class: u8) -> usize {
        let rest = self.bytes().get(start..).unwrap_or_default();
        let length = rest.iter().position(|&byte| CLASSES[usize::from(byte)] & class == 0);
        start + length.unwrap_or(rest.len())
    }

    /// What is between braces, up to and with the closing one.
    fn labels(&mut self, named: &mut bool) -> Found<()> {
        loop {
            self.skip_blanks();
            let (name, quoted) = match self.peek() {
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                b'"' => (self.quoted("label name")?, true),
                byte if CLASSES[usize::from(byte)] & LABEL_START != 0 => {
                    let start = self.at;
                    self.at = self.span_end(start, LABEL);
                    ((start, self.at), false)
                }
                _ => return Err("expected label name".to_owned()),
            };
            self.skip_blanks();
            match self.peek() {
                b'=' => self.at += 1,
                b',' | b'}' if quoted => {
                    if *named {
                        return Err("metric name already set".to_owned());
                    }
                    self.name = name;
                    *named = true;
                    if self.peek() == b',' {
                        self.at += 1;
                    }
                    continue;
                }
                _ => return Err("expected equal".to_owned()),
            }
            self.skip_blanks();
            if self.peek() != b'"' {
                return Err("expected label value".to_owned());
            }
            let value = self.quoted("label value")?;
            if self.spans.len() >= LABELS_MAX {
                return Err(format!("more than {LABELS_MAX} labels"));
            }
            self.spans.push(LabelSpan { name, value });
            self.comma()?;
        }
    }

    /// A comma after a label, which Prometheus's format lets go.
    #[inline]
    fn comma(&mut self) -> Found<()> {
        self.skip_blanks();
        match self.peek() {
            b',' => {
                self.at += 1;
                if self.openmetrics && self.strict.is_some() && self.peek() == b'}' {
                    return Err("expected label name".to_owned());
                }
            }
            b'}' => {}
            _ if self.openmetrics => return Err("expected comma or brace close".to_owned()),
            _ => {}
        }
        Ok(())
    }

    /// Text in quotes; the cursor is on the first one. Gives what is between.
    #[inline]
    fn quoted(&mut self, what: &str) -> Found<(usize, usize)> {
        let bytes = self.bytes();
        let start = self.at + 1;
        let mut at = start;
        loop {
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => at += 2,
                Some(b'\n') if self.openmetrics => return Err(format!("expected {what}")),
                Some(_) => at += 1,
                None => return Err(format!("expected {what}")),
            }
        }
        self.at = at + 1;
        Ok((start, at))
    }

    fn number(&mut self, after: &str) -> Found<f64> {
        let start = self.at;
        let end = self.value_end(start);
        let text = self.bytes().get(start..end).unwrap_or_default();
        if text.is_empty() {
            return Err(format!("expected value after {after}"));
        }
        match number::parse(text) {
            Some(value) => {
                self.at = end;
                Ok(value)
            }
            None => Err(format!("invalid number {:?}", String::from_utf8_lossy(text))),
        }
    }

    #[inline]
    fn value_end(&self, start: usize) -> usize {
        let rest = self.bytes().get(start..).unwrap_or_default();
        let length = rest.iter().position(|&byte| CLASSES[usize::from(byte)] & VALUE_END != 0);
        start + length.unwrap_or(rest.len())
    }

    fn text_suffix(&mut self, key_end: usize) -> Found<Line> {
        self.skip_blanks();
        let value = self.number("metric")?;
        self.skip_blanks();
        let mut timestamp = None;
        if self.peek() != b'\n' {
            let end = self.value_end(self.at);
            let text = self.bytes().get(self.at..end).unwrap_or_default();
            let parsed = number::parse_integer(text);
            timestamp = Some(parsed.ok_or("expected timestamp or new record")?);
            self.at = end;
            self.skip_blanks();
        }
        self.line_end("expected next entry after timestamp")?;
        Ok(Line::Sample { key_end, value, timestamp })
    }

    fn openmetrics_suffix(&mut self, key_end: usize) -> Found<Line> {
        self.space("expected value after metric")?;
        let value = self.number("metric")?;
        let mut timestamp = None;
        if self.peek() == b' ' && self.bytes().get(self.at + 1) != Some(&b'#') {
            timestamp = Some(self.seconds()?);
        }
        if self.peek() == b' ' {
            self.exemplar()?;
        }
        self.line_end("expected next entry after timestamp")?;
        Ok(Line::Sample { key_end, value, timestamp })
    }

    fn space(&mut self, otherwise: &str) -> Found<()> {
        if self.peek() != b' ' {
            return Err(otherwise.to_owned());
        }
        self.at += 1;
        Ok(())
    }

    /// A space and a time in seconds.
    fn seconds(&mut self) -> Found<i64> {
        self.space("expected timestamp")?;
        let end = self.value_end(self.at);
        let text = self.bytes().get(self.at..end).unwrap_or_default();
        let parsed = number::parse_seconds(text);
        let seconds = parsed
            .ok_or_else(|| format!("invalid timestamp {:?}", String::from_utf8_lossy(text)))?;
        self.at = end;
        Ok(seconds)
    }

    /// ` # {trace_id="…"} value timestamp`
    fn exemplar(&mut self) -> Found<()> {
        let rest = self.bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(b" # {") {
            return Err("expected timestamp or exemplar".to_owned());
        }
        self.at += 4;
        let first = self.spans.len();
        // A name of its own is what an exemplar must not have.
        let mut named = true;
        self.labels(&mut named)?;
        self.space("expected value after exemplar labels")?;
        let value = self.number("exemplar labels")?;
        let timestamp = if self.peek() == b' ' { Some(self.seconds()?) } else { None };
        let labels = self.exemplar_labels(first);
        self.spans.truncate(first);
        self.exemplars.push(PageExemplar { labels, value, timestamp });
        Ok(())
    }

    fn exemplar_labels(&self, first: usize) -> Labels {
        let mut builder = LabelsBuilder::default();
        for span in self.spans.get(first..).unwrap_or_default() {
            let name = unescape(slice(self.body, span.name));
            builder.set(&name, &unescape(slice(self.body, span.value)));
        }
        builder.build()
    }

    fn line_end(&mut self, otherwise: &str) -> Found<()> {
        if self.at >= self.body.len() {
            return if self.openmetrics {
                Err("data does not end with # EOF".to_owned())
            } else {
                Ok(())
            };
        }
        if self.peek() != b'\n' {
            return Err(otherwise.to_owned());
        }
        self.at += 1;
        Ok(())
    }

    fn meta(&mut self) -> Found<Option<Line>> {
        let start = self.at;
        let rest = self.bytes().get(start..).unwrap_or_default();
        let end = start + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = (start, end);
        let text = slice(self.body, line);
        if self.openmetrics {
            if text == "# EOF" {
                self.at = (end + 1).min(self.body.len());
                return if self.at == self.body.len() {
                    Ok(None)
                } else {
                    Err("unexpected data after # EOF".to_owned())
                };
            }
            let keyword = ["# HELP ", "# TYPE ", "# UNIT "].iter().find(|k| text.starts_with(**k));
            let Some(keyword) = keyword else {
                return Err("expected HELP, TYPE, UNIT or EOF after #".to_owned());
            };
            self.at = start + keyword.len();
            return self.described(keyword.get(2..6).unwrap_or(""), end).map(Some);
        }
        let after = text.get(1..).unwrap_or("").trim_start_matches([' ', '\t']);
        // `#HELP` without a blank is a comment.
        let blank = text.len() - after.len() > 1;
        for keyword in ["HELP", "TYPE"] {
            let Some(rest) = after.strip_prefix(keyword) else { continue };
            if blank && rest.starts_with([' ', '\t']) {
                self.at = end - rest.trim_start_matches([' ', '\t']).len();
                return self.described(keyword, end).map(Some);
            }
        }
        self.at = (end + 1).min(self.body.len());
        Ok(Some(Line::Comment(line)))
    }

    /// A metric's name and what is said about it.
    fn described(&mut self, keyword: &str, end: usize) -> Found<Line> {
        self.name = match self.peek() {
            b'"' => self.quoted("metric name")?,
            byte if CLASSES[usize::from(byte)] & NAME_START != 0 => {
                let start = self.at;
                self.at = self.span_end(start, NAME);
                (start, self.at)
            }
            _ => return Err(format!("expected metric name after {keyword}")),
        };
        if self.at > end {
            return Err(format!("expected text in {keyword}"));
        }
        let text = match self.peek() {
            _ if self.at == end => (end, end),
            b' ' => (self.at + 1, end),
            b'\t' if !self.openmetrics => (self.at + 1, end),
            _ => return Err(format!("expected text in {keyword}")),
        };
        if self.openmetrics && (end == self.body.len() || self.at == end) {
            return Err(format!("expected text in {keyword}"));
        }
        self.at = (end + 1).min(self.body.len());
        match keyword {
            "HELP" => Ok(Line::Help(text)),
            "UNIT" => self.unit(text),
            _ => self.kind(text),
        }
    }

    fn kind(&mut self, text: (usize, usize)) -> Found<Line> {
        let word = slice(self.body, text);
        let kind = MetricType::parse(word).filter(|kind| match kind {
            MetricType::Unknown => word == if self.openmetrics { "unknown" } else { "untyped" },
            MetricType::GaugeHistogram | MetricType::Info | MetricType::StateSet => {
                self.openmetrics
            }
            _ => true,
        });
        self.kind = kind.ok_or_else(|| format!("invalid metric type {word:?}"))?;
        Ok(Line::Type(self.kind))
    }

    fn unit(&mut self, text: (usize, usize)) -> Found<Line> {
        let (unit, metric) = (slice(self.body, text), slice(self.body, self.name));
        let suffix = metric.strip_suffix(unit);
        if !unit.is_empty() && !suffix.is_some_and(|rest| rest.ends_with('_')) {
            return Err(format!("unit {unit:?} not a suffix of metric {metric:?}"));
        }
        Ok(Line::Unit(text))
    }
}

#[cold]
fn line_of(body: &[u8], at: usize) -> usize {
    1 + memchr::memchr_iter(b'\n', body.get(..at).unwrap_or(body)).count()
}
