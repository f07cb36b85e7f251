//! The words of the language.

use crate::ast::{AggregateOp, BinaryOp};
use crate::position::PosRange;
use crate::text::quote;

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    End,
    Identifier,
    MetricIdentifier,
    String,
    Number,
    Duration,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    /// `=`
    Assign,
    /// `=~`
    MatchRegex,
    /// `!~`
    MatchNotRegex,
    /// `@`
    At,
    Binary(BinaryOp),
    Aggregate(AggregateOp),
    Keyword(Keyword),
    Preprocessor(Preprocessor),
}

/// Words with a meaning of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    Bool,
    By,
    GroupLeft,
    GroupRight,
    Ignoring,
    Offset,
    Smoothed,
    Anchored,
    On,
    Without,
    Fill,
    FillLeft,
    FillRight,
}

/// Words that are functions of the query's range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preprocessor {
    Start,
    End,
    Step,
    Range,
    MinOf,
    MaxOf,
}

/// A word and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) position: PosRange,
}

impl Token {
    pub(crate) fn text<'a>(&self, input: &'a str) -> &'a str {
        let start = usize::try_from(self.position.start).unwrap_or(usize::MAX);
        let end = usize::try_from(self.position.end).unwrap_or(usize::MAX);
        input.get(start..end).unwrap_or_default()
    }

    /// As error texts name it.
    pub(crate) fn describe(&self, input: &str) -> String {
        let text = self.text(input);
        match self.kind {
            Kind::End => "end of input".to_owned(),
            Kind::Identifier => format!("identifier {}", quote(text)),
            Kind::MetricIdentifier => format!("metric identifier {}", quote(text)),
            Kind::String => format!("string {}", shortened(text)),
            Kind::Number => format!("number {}", shortened(text)),
            Kind::Duration => format!("duration {}", shortened(text)),
            Kind::Binary(_) | Kind::MatchRegex | Kind::MatchNotRegex | Kind::At => {
                format!("<op:{text}>")
            }
            Kind::Aggregate(_) => format!("<aggr:{text}>"),
            Kind::Keyword(_) => format!("<{text}>"),
            _ => quote(text),
        }
    }

    /// Whether it may be the name of a metric.
    pub(crate) fn is_metric_name(&self) -> bool {
        match self.kind {
            Kind::Identifier
            | Kind::MetricIdentifier
            | Kind::Aggregate(_)
            | Kind::Preprocessor(_)
            | Kind::Binary(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless) => true,
            Kind::Keyword(keyword) => matches!(
                keyword,
                Keyword::By
                    | Keyword::Without
                    | Keyword::Offset
                    | Keyword::Anchored
                    | Keyword::Smoothed
            ),
            _ => false,
        }
    }

    /// Whether it may be a label in `by (…)`.
    pub(crate) fn is_label(&self) -> bool {
        self.is_metric_name()
            || matches!(self.kind, Kind::Keyword(_) | Kind::Binary(BinaryOp::Atan2))
    }

    /// Whether an expression may begin with it.
    pub(crate) fn begins_expression(&self) -> bool {
        self.is_metric_name()
            || matches!(
                self.kind,
                Kind::Number
                    | Kind::Duration
                    | Kind::String
                    | Kind::LeftParen
                    | Kind::LeftBrace
                    | Kind::Binary(BinaryOp::Add | BinaryOp::Sub)
            )
    }
}

fn shortened(text: &str) -> String {
    if text.len() <= 10 {
        return quote(text);
    }
    let start: String = text.chars().take(10).collect();
    format!("{}...", quote(&start))
}

/// The keyword that `word` is, whatever its case.
pub(crate) fn keyword(word: &str) -> Option<Kind> {
    use AggregateOp as A;
    use Keyword as K;
    use Preprocessor as P;
    const LENGTH_MAX: usize = 12;
    if word.len() > LENGTH_MAX {
        return None;
    }
    let mut buffer = [0; LENGTH_MAX];
    let lower = &mut buffer[..word.len()];
    lower.copy_from_slice(word.as_bytes());
    lower.make_ascii_lowercase();
    Some(match &*lower {
        b"and" => Kind::Binary(BinaryOp::And),
        b"or" => Kind::Binary(BinaryOp::Or),
        b"unless" => Kind::Binary(BinaryOp::Unless),
        b"atan2" => Kind::Binary(BinaryOp::Atan2),
        b"sum" => Kind::Aggregate(A::Sum),
        b"avg" => Kind::Aggregate(A::Avg),
        b"count" => Kind::Aggregate(A::Count),
        b"min" => Kind::Aggregate(A::Min),
        b"max" => Kind::Aggregate(A::Max),
        b"group" => Kind::Aggregate(A::Group),
        b"stddev" => Kind::Aggregate(A::Stddev),
        b"stdvar" => Kind::Aggregate(A::Stdvar),
        b"topk" => Kind::Aggregate(A::Topk),
        b"bottomk" => Kind::Aggregate(A::Bottomk),
        b"count_values" => Kind::Aggregate(A::CountValues),
        b"quantile" => Kind::Aggregate(A::Quantile),
        b"limitk" => Kind::Aggregate(A::Limitk),
        b"limit_ratio" => Kind::Aggregate(A::LimitRatio),
        b"offset" => Kind::Keyword(K::Offset),
        b"smoothed" => Kind::Keyword(K::Smoothed),
        b"anchored" => Kind::Keyword(K::Anchored),
        b"by" => Kind::Keyword(K::By),
        b"without" => Kind::Keyword(K::Without),
        b"on" => Kind::Keyword(K::On),
        b"ignoring" => Kind::Keyword(K::Ignoring),
        b"group_left" => Kind::Keyword(K::GroupLeft),
        b"group_right" => Kind::Keyword(K::GroupRight),
        b"fill" => Kind::Keyword(K::Fill),
        b"fill_left" => Kind::Keyword(K::FillLeft),
        b"fill_right" => Kind::Keyword(K::FillRight),
        b"bool" => Kind::Keyword(K::Bool),
        b"start" => Kind::Preprocessor(P::Start),
        b"end" => Kind::Preprocessor(P::End),
        b"step" => Kind::Preprocessor(P::Step),
        b"range" => Kind::Preprocessor(P::Range),
        b"min_of" => Kind::Preprocessor(P::MinOf),
        b"max_of" => Kind::Preprocessor(P::MaxOf),
        b"inf" | b"nan" => Kind::Number,
        _ => return None,
    })
}
