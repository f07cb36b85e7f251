//! Templates as trees. Variables and functions are checked here, as in Go.

use std::collections::HashMap;

use super::functions;
use super::lexer::{Piece, Token, Wrong, split};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Text(String),
    /// Written out, unless it sets a variable.
    Pipe(Pipe),
    If {
        condition: Pipe,
        then: Vec<Node>,
        otherwise: Vec<Node>,
    },
    With {
        value: Pipe,
        then: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Range {
        list: Pipe,
        each: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Template {
        name: String,
        value: Option<Pipe>,
    },
    Break,
    Continue,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Pipe {
    /// Variables that it sets: one, or index and element of `range`.
    pub(super) variables: Vec<String>,
    /// `:=` and not `=`.
    pub(super) declares: bool,
    pub(super) commands: Vec<Vec<Operand>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operand {
    pub(super) base: Base,
    pub(super) fields: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Base {
    Dot,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Variable(String),
    Function(String),
    Pipe(Pipe),
}

/// The deepest nesting of actions and parentheses.
const DEPTH_MAX: usize = 100;

pub(super) fn parse(
    text: &str,
    variables: &[&str],
    defined: &mut HashMap<String, Vec<Node>>,
) -> Result<Vec<Node>, Wrong> {
    let mut parser = Parser {
        pieces: split(text)?,
        at: 0,
        variables: variables.iter().map(|name| (*name).to_owned()).collect(),
        loops: 0,
        depth: 0,
        line: 1,
        defined,
    };
    let (nodes, end) = parser.nodes()?;
    match end {
        Stop::Input => Ok(nodes),
        Stop::Else(_) => parser.wrong("unexpected {{else}}"),
        Stop::End => parser.wrong("unexpected {{end}}"),
    }
}

enum Stop {
    Input,
    End,
    /// With what comes after `else`.
    Else(Vec<Token>),
}

struct Parser<'d> {
    pieces: Vec<Piece>,
    at: usize,
    variables: Vec<String>,
    loops: usize,
    depth: usize,
    line: usize,
    defined: &'d mut HashMap<String, Vec<Node>>,
}

impl Parser<'_> {
    fn wrong<T>(&self, message: impl Into<String>) -> Result<T, Wrong> {
        Err(Wrong { line: self.line, message: message.into() })
    }

    fn nodes(&mut self) -> Result<(Vec<Node>, Stop), Wrong> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.wrong("max expression depth exceeded");
        }
        let mut nodes = Vec::new();
        let end = loop {
            let Some(piece) = self.pieces.get(self.at).cloned() else { break Stop::Input };
            self.at += 1;
            match piece {
                Piece::Text(text) => nodes.push(Node::Text(text)),
                Piece::Action { line, tokens } => {
                    self.line = line;
                    if let Some(end) = self.action(&tokens, &mut nodes)? {
                        break end;
                    }
                }
            }
        };
        self.depth -= 1;
        Ok((nodes, end))
    }

    fn action(&mut self, tokens: &[Token], nodes: &mut Vec<Node>) -> Result<Option<Stop>, Wrong> {
        let word = match tokens.first() {
            Some(Token::Word(word)) => word.as_str(),
            None => return self.wrong("missing value for command"),
            _ => "",
        };
        let rest = tokens.get(1..).unwrap_or(&[]);
        match word {
            "end" => return Ok(Some(Stop::End)),
            "else" => return Ok(Some(Stop::Else(rest.to_vec()))),
            "if" | "with" | "range" => {
                let node = self.control(word, rest)?;
                nodes.push(node);
            }
            "define" | "block" => {
                let node = self.define(word == "block", rest)?;
                nodes.extend(node);
            }
            "template" => {
                let Some(Token::Text(name)) = rest.first() else {
                    return self.wrong("unexpected token in template clause");
                };
                let value = match rest.get(1..) {
                    Some(rest) if !rest.is_empty() => Some(self.pipeline(rest, "template clause")?),
                    _ => None,
                };
                nodes.push(Node::Template { name: name.clone(), value });
            }
            "break" | "continue" if rest.is_empty() => {
                if self.loops == 0 {
                    return self.wrong(format!("{{{{{word}}}}} outside {{{{range}}}}"));
                }
                nodes.push(if word == "break" { Node::Break } else { Node::Continue });
            }
            _ => nodes.push(Node::Pipe(self.pipeline(tokens, "command")?)),
        }
        Ok(None)
    }

    fn control(&mut self, word: &str, tokens: &[Token]) -> Result<Node, Wrong> {
        let known = self.variables.len();
        let pipe = self.pipeline(tokens, word)?;
        if pipe.variables.len() > 1 && word != "range" {
            return self.wrong(format!("too many declarations in {word}"));
        }
        self.loops += usize::from(word == "range");
        let (then, end) = self.nodes()?;
        self.loops -= usize::from(word == "range");
        let otherwise = match end {
            Stop::Input => return self.wrong("unexpected EOF"),
            Stop::End => Vec::new(),
            Stop::Else(rest) => self.otherwise(word, &rest)?,
        };
        self.variables.truncate(known);
        Ok(match word {
            "if" => Node::If { condition: pipe, then, otherwise },
            "with" => Node::With { value: pipe, then, otherwise },
            _ => Node::Range { list: pipe, each: then, otherwise },
        })
    }

    fn otherwise(&mut self, word: &str, rest: &[Token]) -> Result<Vec<Node>, Wrong> {
        match rest.first() {
            None => {
                let (nodes, end) = self.nodes()?;
                match end {
                    Stop::End => Ok(nodes),
                    Stop::Input => self.wrong("unexpected EOF"),
                    Stop::Else(_) => self.wrong("expected end; found {{else}}"),
                }
            }
            Some(Token::Word(next)) if next == word && word != "range" => {
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return self.wrong("max expression depth exceeded");
                }
                let node = self.control(word, rest.get(1..).unwrap_or(&[]))?;
                self.depth -= 1;
                Ok(vec![node])
            }
            Some(_) => self.wrong("unexpected token in else"),
        }
    }

    fn define(&mut self, block: bool, tokens: &[Token]) -> Result<Option<Node>, Wrong> {
        let Some(Token::Text(name)) = tokens.first() else {
            return self.wrong("unexpected token in define clause");
        };
        let value = match tokens.get(1..) {
            Some(rest) if block => Some(self.pipeline(rest, "block clause")?),
            _ => None,
        };
        // A template of its own sees only its argument.
        let outside = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let (nodes, end) = self.nodes()?;
        self.variables = outside;
        if !matches!(end, Stop::End) {
            return self.wrong("unexpected EOF");
        }
        self.defined.insert(name.clone(), nodes);
        Ok(value.map(|value| Node::Template { name: name.clone(), value: Some(value) }))
    }

    fn pipeline(&mut self, tokens: &[Token], context: &str) -> Result<Pipe, Wrong> {
        let (mut pipe, rest) = declarations(tokens);
        if !pipe.declares {
            for name in &pipe.variables {
                self.known(name)?;
            }
        }
        if rest.is_empty() {
            return self.wrong(format!("missing value for {context}"));
        }
        let mut position = 0;
        pipe.commands = self.commands(rest, &mut position, false)?;
        if pipe.declares {
            self.variables.extend(pipe.variables.iter().cloned());
        }
        Ok(pipe)
    }

    fn known(&self, name: &str) -> Result<(), Wrong> {
        if self.variables.iter().any(|known| known == name) {
            return Ok(());
        }
        self.wrong(format!("undefined variable {name:?}"))
    }

    /// Commands between pipes, up to the end or a closing parenthesis.
    fn commands(
        &mut self,
        tokens: &[Token],
        position: &mut usize,
        nested: bool,
    ) -> Result<Vec<Vec<Operand>>, Wrong> {
        let mut commands = Vec::new();
        let mut command: Vec<Operand> = Vec::new();
        loop {
            match tokens.get(*position) {
                None if nested => return self.wrong("unclosed left paren"),
                Some(Token::Close) if !nested => return self.wrong("unexpected right paren"),
                end @ (None | Some(Token::Close | Token::Pipe)) => {
                    let more = end == Some(&Token::Pipe);
                    if command.is_empty() {
                        return self.wrong("missing value for command");
                    }
                    let first_only = command
                        .first()
                        .is_some_and(|operand| !matches!(operand.base, Base::Function(_)));
                    let plain = command.first().is_some_and(|operand| {
                        !matches!(
                            operand.base,
                            Base::Function(_) | Base::Dot | Base::Variable(_) | Base::Pipe(_)
                        )
                    });
                    if first_only && (command.len() > 1 || (plain && !commands.is_empty())) {
                        return self.wrong("non executable command in pipeline");
                    }
                    commands.push(std::mem::take(&mut command));
                    *position += usize::from(end.is_some());
                    if !more {
                        return Ok(commands);
                    }
                }
                Some(_) => command.push(self.operand(tokens, position)?),
            }
        }
    }

    fn operand(&mut self, tokens: &[Token], position: &mut usize) -> Result<Operand, Wrong> {
        let Some(token) = tokens.get(*position) else { return self.wrong("missing value") };
        *position += 1;
        let mut fields = Vec::new();
        let base = match token {
            Token::Word(word) => match word.as_str() {
                "nil" => Base::Nil,
                "true" => Base::Bool(true),
                "false" => Base::Bool(false),
                name if functions::is_known(name) => Base::Function(name.to_owned()),
                name => return self.wrong(format!("function {name:?} not defined")),
            },
            Token::Variable(name) => {
                self.known(name)?;
                Base::Variable(name.clone())
            }
            Token::Field { name, .. } => {
                fields.push(name.clone());
                Base::Dot
            }
            Token::Dot => Base::Dot,
            Token::Text(text) => Base::Text(text.clone()),
            Token::Int(number) => Base::Int(*number),
            Token::Float(number) => Base::Float(*number),
            Token::Open => {
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return self.wrong("max expression depth exceeded");
                }
                let commands = self.commands(tokens, position, true)?;
                self.depth -= 1;
                Base::Pipe(Pipe { commands, ..Pipe::default() })
            }
            Token::Pipe | Token::Comma | Token::Declare | Token::Assign | Token::Close => {
                return self.wrong("unexpected token in operand");
            }
        };
        while let Some(Token::Field { name, spaced: false }) = tokens.get(*position) {
            fields.push(name.clone());
            *position += 1;
        }
        Ok(Operand { base, fields })
    }
}

/// `$x :=`, `$x =`, `$i, $x :=` at the front.
fn declarations(tokens: &[Token]) -> (Pipe, &[Token]) {
    let (variables, after): (Vec<String>, &[Token]) = match tokens {
        [Token::Variable(first), Token::Comma, Token::Variable(second), rest @ ..] => {
            (vec![first.clone(), second.clone()], rest)
        }
        [Token::Variable(first), rest @ ..] => (vec![first.clone()], rest),
        _ => (Vec::new(), tokens),
    };
    match after {
        [Token::Declare, rest @ ..] if !variables.is_empty() => {
            (Pipe { variables, declares: true, commands: Vec::new() }, rest)
        }
        [Token::Assign, rest @ ..] if !variables.is_empty() => {
            (Pipe { variables, declares: false, commands: Vec::new() }, rest)
        }
        _ => (Pipe::default(), tokens),
    }
}
