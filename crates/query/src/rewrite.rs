//! Attribute access, made plain SQL before planning.
//!
//! `attributes['k']`, `resource['k']`, `scope['k']` (also behind a table's alias, and written
//! `attributes.k`) become the column that holds the attribute; where its values are spread over
//! columns of several types or the `rest` column, a `coalesce` of them; where the attribute is an
//! alias of a column (`resource['service.name']` is `service`), that column; and `NULL` where no row
//! has ever had it. A quoted name that is no column (`"http.status_code"`) is looked up as an
//! attribute in the same way.
//!
//! This is done on the syntax tree, with the names that are in scope at each place: the planner
//! then sees plain columns and prunes by them.

mod columns;
mod names;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    self, AccessExpr, BinaryOperator, Distinct, Expr, FunctionArg, FunctionArgExpr,
    FunctionArguments, GroupByExpr, Ident, JoinConstraint, JoinOperator, LimitClause, ObjectName,
    ObjectNamePart, OrderByKind, Query, Select, SelectItem, SetExpr, Subscript, TableFactor,
    TableWithJoins, UnaryOperator, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Span;

pub(crate) use columns::Columns;
use columns::{Access, Rendered};
use names::{Key, normal, scope_word};
pub use names::{quote_identifier, quote_text};

use crate::{Error, statement};

/// What the rewriting asks of the tables.
pub(crate) trait Lookup {
    /// The columns of a table.
    fn columns(&self, table: &str) -> Option<Arc<Columns>>;
}

/// Rewrites every attribute access of a statement.
pub(crate) fn rewrite(statement: &mut Statement, lookup: &dyn Lookup) -> Result<(), Error> {
    match statement::inner(statement) {
        Some(ast::Statement::Query(query)) => {
            let env = Env { lookup, ctes: HashMap::new() };
            rewrite_query(query, &env, None)?;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What a query inherits: the tables and the common table expressions so far.
#[derive(Clone)]
struct Env<'a> {
    lookup: &'a dyn Lookup,
    ctes: HashMap<String, Arc<Columns>>,
}

/// The relations whose columns can be named at a place, and those around it.
struct Names<'a> {
    relations: Vec<Relation>,
    /// Output names of the select, which `ORDER BY` and `GROUP BY` may use.
    aliases: Vec<String>,
    outer: Option<&'a Names<'a>>,
}

/// Something in `FROM`.
struct Relation {
    name: Option<Ident>,
    columns: Arc<Columns>,
}

fn rewrite_query(
    query: &mut Query,
    env: &Env<'_>,
    outer: Option<&Names<'_>>,
) -> Result<Arc<Columns>, Error> {
    let mut env = env.clone();
    if let Some(with) = &mut query.with {
        for cte in &mut with.cte_tables {
            let name = normal(&cte.alias.name);
            if with.recursive {
                env.ctes.insert(name.clone(), Arc::new(Columns::unknown()));
            }
            let columns = rewrite_query(&mut cte.query, &env, outer)?;
            let columns = Columns::renamed(&columns, &cte.alias.columns);
            env.ctes.insert(name, columns);
        }
    }
    let (columns, names) = rewrite_body(&mut query.body, &env, outer)?;
    let mut rewriter = Rewriter::new(&env, &names);
    if let Some(order_by) = &mut query.order_by
        && let OrderByKind::Expressions(exprs) = &mut order_by.kind
    {
        for expr in exprs {
            rewriter.expr(&mut expr.expr)?;
        }
    }
    if let Some(LimitClause::LimitOffset { limit: Some(limit), .. }) = &mut query.limit_clause {
        rewriter.expr(limit)?;
    }
    Ok(columns)
}

fn rewrite_body<'a>(
    body: &mut SetExpr,
    env: &Env<'_>,
    outer: Option<&'a Names<'a>>,
) -> Result<(Arc<Columns>, Names<'a>), Error> {
    match body {
        SetExpr::Select(select) => rewrite_select(select, env, outer),
        SetExpr::Query(query) => {
            let columns = rewrite_query(query, env, outer)?;
            Ok((Arc::clone(&columns), Names::of_output(columns, outer)))
        }
        SetExpr::SetOperation { left, right, .. } => {
            let (columns, _) = rewrite_body(left, env, outer)?;
            rewrite_body(right, env, outer)?;
            Ok((Arc::clone(&columns), Names::of_output(columns, outer)))
        }
        SetExpr::Values(_)
        | SetExpr::Table(_)
        | SetExpr::Insert(_)
        | SetExpr::Update(_)
        | SetExpr::Delete(_)
        | SetExpr::Merge(_) => {
            let columns = Arc::new(Columns::unknown());
            Ok((Arc::clone(&columns), Names::of_output(columns, outer)))
        }
    }
}

fn rewrite_select<'a>(
    select: &mut Select,
    env: &Env<'_>,
    outer: Option<&'a Names<'a>>,
) -> Result<(Arc<Columns>, Names<'a>), Error> {
    let mut names = Names { relations: Vec::new(), aliases: Vec::new(), outer };
    for from in &mut select.from {
        add_relations(from, env, &mut names)?;
    }
    let mut rewriter = Rewriter::new(env, &names);
    for from in &mut select.from {
        rewriter.join_conditions(from)?;
    }
    for item in &mut select.projection {
        rewriter.select_item(item)?;
    }
    if let Some(Distinct::On(exprs)) = &mut select.distinct {
        rewriter.exprs(exprs)?;
    }
    if let Some(selection) = &mut select.selection {
        rewriter.expr(selection)?;
    }
    names.aliases = select.projection.iter().filter_map(alias_of).collect();
    let mut rewriter = Rewriter::new(env, &names);
    if let GroupByExpr::Expressions(exprs, _) = &mut select.group_by {
        rewriter.exprs(exprs)?;
    }
    for expr in select.having.iter_mut().chain(&mut select.qualify) {
        rewriter.expr(expr)?;
    }
    for window in &mut select.named_window {
        rewriter.visit(window)?;
    }
    let columns = Arc::new(output(select, &names));
    Ok((columns, names))
}

fn add_relations(
    from: &mut TableWithJoins,
    env: &Env<'_>,
    names: &mut Names<'_>,
) -> Result<(), Error> {
    add_relation(&mut from.relation, env, names)?;
    for join in &mut from.joins {
        add_relation(&mut join.relation, env, names)?;
    }
    Ok(())
}

fn add_relation(
    factor: &mut TableFactor,
    env: &Env<'_>,
    names: &mut Names<'_>,
) -> Result<(), Error> {
    let relation = match factor {
        TableFactor::Table { name, alias, args: None, .. } => {
            let columns = table_columns(name, env);
            let own = name.0.last().and_then(ObjectNamePart::as_ident).cloned();
            match alias {
                Some(alias) => Relation {
                    columns: Columns::renamed(&columns, &alias.columns),
                    name: Some(alias.name.clone()),
                },
                None => Relation { columns, name: own },
            }
        }
        TableFactor::Derived { subquery, alias, .. } => {
            let columns = rewrite_query(subquery, env, Some(names))?;
            match alias {
                Some(alias) => Relation {
                    columns: Columns::renamed(&columns, &alias.columns),
                    name: Some(alias.name.clone()),
                },
                None => Relation { columns, name: None },
            }
        }
        TableFactor::NestedJoin { table_with_joins, .. } => {
            add_relations(table_with_joins, env, names)?;
            return Rewriter::new(env, names).join_conditions(table_with_joins);
        }
        _ => Relation { name: None, columns: Arc::new(Columns::unknown()) },
    };
    names.relations.push(relation);
    Ok(())
}

fn table_columns(name: &ObjectName, env: &Env<'_>) -> Arc<Columns> {
    let parts: Vec<String> =
        name.0.iter().filter_map(ObjectNamePart::as_ident).map(normal).collect();
    let found = match parts.as_slice() {
        [table] => env.ctes.get(table).cloned().or_else(|| env.lookup.columns(table)),
        [.., schema, table] if schema == "public" => env.lookup.columns(table),
        _ => None,
    };
    found.unwrap_or_else(|| Arc::new(Columns::unknown()))
}

fn alias_of(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(normal(alias)),
        _ => None,
    }
}

/// The columns that a select puts out, as far as their names are plain to see.
fn output(select: &Select, names: &Names<'_>) -> Columns {
    let mut columns = Columns::default();
    for item in &select.projection {
        match item {
            SelectItem::Wildcard(_) => {
                for relation in &names.relations {
                    columns.add_all(&relation.columns);
                }
            }
            SelectItem::QualifiedWildcard(kind, _) => {
                let word = kind.to_string();
                let word = word.split('.').next().unwrap_or_default().trim_matches('"');
                match names.relations.iter().find(|r| r.is_called(word)) {
                    Some(relation) => columns.add_all(&relation.columns),
                    None => columns.add_all(&Columns::unknown()),
                }
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                columns.add(normal(alias), names.type_of(expr));
            }
            SelectItem::UnnamedExpr(expr) => match last_ident(expr) {
                Some(ident) => {
                    let name = normal(ident);
                    if name == columns::REST {
                        names.relations.iter().for_each(|r| columns.add_rest(&r.columns));
                    }
                    columns.add(name, names.type_of(expr));
                }
                None => columns.add(expr.to_string(), None),
            },
            SelectItem::ExprWithAliases { .. } => columns.add_all(&Columns::unknown()),
        }
    }
    columns
}

fn last_ident(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(ident) => Some(ident),
        Expr::CompoundIdentifier(idents) => idents.last(),
        _ => None,
    }
}

impl Relation {
    fn is_called(&self, name: &str) -> bool {
        self.name.as_ref().is_some_and(|own| normal(own) == name)
    }
}

impl<'a> Names<'a> {
    /// What `ORDER BY` behind a union sees: the union's output.
    fn of_output(columns: Arc<Columns>, outer: Option<&'a Names<'a>>) -> Names<'a> {
        Names { relations: vec![Relation { name: None, columns }], aliases: Vec::new(), outer }
    }

    fn all(&self) -> impl Iterator<Item = &Relation> {
        let mut level = Some(self);
        std::iter::from_fn(move || {
            let names = level?;
            level = names.outer;
            Some(&names.relations)
        })
        .flatten()
    }

    fn has_relation(&self, name: &str) -> bool {
        self.all().any(|relation| relation.is_called(name))
    }

    /// Whether a bare name already means something here.
    fn has_name(&self, name: &str) -> bool {
        self.aliases.iter().any(|alias| alias == name)
            || self.all().any(|relation| relation.columns.has(name))
    }

    fn type_of(&self, expr: &Expr) -> Option<DataType> {
        let name = normal(last_ident(expr)?);
        self.all().find_map(|relation| relation.columns.type_of(&name))
    }

    /// Where an attribute is, in the innermost place that has it.
    fn find(&self, qualifier: Option<&Ident>, key: &Key) -> Option<(Option<Ident>, Access)> {
        let wanted = qualifier.map(normal);
        let mut level = Some(self);
        while let Some(names) = level {
            let mut found = names
                .relations
                .iter()
                .filter(|r| wanted.as_deref().is_none_or(|wanted| r.is_called(wanted)))
                .filter_map(|r| Some((r, r.columns.find(key)?)));
            if let Some((relation, access)) = found.next() {
                // Two relations that both have it: the bare name is ambiguous, and the planner
                // says so in its own words.
                let several = found.next().is_some();
                let qualified = qualifier.is_some() || (names.relations.len() > 1 && !several);
                let name = if qualified { relation.name.clone() } else { None };
                return Some((name, access));
            }
            level = names.outer;
        }
        None
    }
}

/// Rewrites expressions at one place of a query.
struct Rewriter<'a> {
    env: &'a Env<'a>,
    names: &'a Names<'a>,
    /// How deep inside a subquery the visit is: those are done on entering them.
    nested: usize,
}

impl<'a> Rewriter<'a> {
    fn new(env: &'a Env<'a>, names: &'a Names<'a>) -> Rewriter<'a> {
        Rewriter { env, names, nested: 0 }
    }

    fn exprs(&mut self, exprs: &mut [Expr]) -> Result<(), Error> {
        exprs.iter_mut().try_for_each(|expr| self.expr(expr))
    }

    fn expr(&mut self, expr: &mut Expr) -> Result<(), Error> {
        self.visit(expr)
    }

    fn visit(&mut self, node: &mut impl VisitMut) -> Result<(), Error> {
        match node.visit(self) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(*error),
        }
    }

    fn join_conditions(&mut self, from: &mut TableWithJoins) -> Result<(), Error> {
        for join in &mut from.joins {
            if let JoinOperator::AsOf { match_condition, .. } = &mut join.join_operator {
                self.expr(match_condition)?;
            }
            if let Some(JoinConstraint::On(expr)) = constraint(&mut join.join_operator) {
                self.expr(expr)?;
            }
        }
        Ok(())
    }

    /// An output column keeps the name that its writer will look for.
    fn select_item(&mut self, item: &mut SelectItem) -> Result<(), Error> {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let name = self.attribute(expr)?.map(|attribute| attribute.name);
                self.expr(expr)?;
                if let Some(name) = name
                    && last_ident(expr).is_none_or(|ident| ident.value != name)
                {
                    *item = SelectItem::ExprWithAlias {
                        expr: expr.clone(),
                        alias: Ident::with_quote('"', name),
                    };
                }
                Ok(())
            }
            SelectItem::ExprWithAlias { expr, .. } | SelectItem::ExprWithAliases { expr, .. } => {
                self.expr(expr)
            }
            SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => Ok(()),
        }
    }

    /// Reads an expression as the access to an attribute.
    fn attribute(&self, expr: &Expr) -> Result<Option<Attribute>, Error> {
        match expr {
            Expr::CompoundFieldAccess { root, access_chain } => {
                self.subscripted(root, access_chain)
            }
            Expr::CompoundIdentifier(idents) => Ok(self.dotted(idents)),
            Expr::Identifier(ident) if ident.quote_style.is_some() => Ok(self.bare(None, ident)),
            _ => Ok(None),
        }
    }

    /// `attributes['k']`, `t.attributes['k']`.
    fn subscripted(&self, root: &Expr, chain: &[AccessExpr]) -> Result<Option<Attribute>, Error> {
        let mut path: Vec<&Ident> = match root {
            Expr::Identifier(ident) => vec![ident],
            Expr::CompoundIdentifier(idents) => idents.iter().collect(),
            _ => return Ok(None),
        };
        let mut chain = chain.iter();
        let subscript = loop {
            match chain.next() {
                Some(AccessExpr::Dot(Expr::Identifier(ident))) => path.push(ident),
                Some(AccessExpr::Subscript(subscript)) => break subscript,
                _ => return Ok(None),
            }
        };
        let (qualifier, word) = match path.as_slice() {
            [word] => (None, *word),
            [qualifier, word] => (Some(*qualifier), *word),
            _ => return Ok(None),
        };
        let Some(scope) = scope_word(&normal(word)) else { return Ok(None) };
        if qualifier.is_none() && self.names.has_name(&normal(word)) {
            return Ok(None);
        }
        let Subscript::Index {
            index: Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(key), .. }),
        } = subscript
        else {
            return Err(Error::at(word.span.start, format!("the key in {word}[…] must be a text"))
                .with_hint(format!("write {word}['key']")));
        };
        if chain.next().is_some() {
            return Err(Error::at(
                word.span.start,
                format!("{word}['{key}'] is one value; it has no parts"),
            ));
        }
        let key = Key { scope, key: key.clone() };
        Ok(Some(Attribute {
            name: key.column(),
            found: self.names.find(qualifier, &key),
            span: word.span,
            key,
        }))
    }

    /// `attributes.http.status_code`, `t.attributes.k`, `t."http.status_code"`.
    fn dotted(&self, idents: &[Ident]) -> Option<Attribute> {
        let (first, rest) = idents.split_first()?;
        if !self.names.has_relation(&normal(first)) {
            return self.spelled(None, first, rest);
        }
        match rest {
            [name] => self.bare(Some(first), name),
            [word, path @ ..] => self.spelled(Some(first), word, path),
            [] => None,
        }
    }

    fn spelled(
        &self,
        qualifier: Option<&Ident>,
        word: &Ident,
        path: &[Ident],
    ) -> Option<Attribute> {
        let scope = scope_word(&normal(word))?;
        let key = path.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".");
        let key = Key { scope, key };
        let found = self.names.find(qualifier, &key);
        Some(Attribute { name: key.column(), found, span: word.span, key })
    }

    /// `"http.status_code"`: an attribute only if it is nothing else.
    fn bare(&self, qualifier: Option<&Ident>, ident: &Ident) -> Option<Attribute> {
        ident.quote_style?;
        let taken = match qualifier {
            None => self.names.has_name(&ident.value),
            Some(qualifier) => {
                let wanted = normal(qualifier);
                self.names.all().any(|r| r.is_called(&wanted) && r.columns.has(&ident.value))
            }
        };
        if taken {
            return None;
        }
        Key::anywhere(&ident.value).into_iter().find_map(|key| {
            let found =
                self.names.find(qualifier, &key).filter(|(_, access)| access.is_certain())?;
            Some(Attribute { name: ident.value.clone(), found: Some(found), span: ident.span, key })
        })
    }

    /// Replaces an access by what it means; `numeric` where it is compared with a number.
    fn replace(&self, expr: &mut Expr, numeric: bool) -> Result<(), Error> {
        if let Some(attribute) = self.attribute(expr)? {
            *expr = attribute.expr(numeric)?;
        }
        Ok(())
    }

    fn enter(&mut self, expr: &mut Expr) -> Result<(), Error> {
        match expr {
            Expr::BinaryOp { left, op, right } if is_comparison(op) => {
                let numeric = (is_number(right), is_number(left));
                self.replace(left, numeric.0)?;
                self.replace(right, numeric.1)
            }
            Expr::Between { expr, low, high, .. } => {
                let numeric = is_number(low) && is_number(high);
                self.replace(expr, numeric)
            }
            Expr::Function(function) => {
                time_bucket(function);
                Ok(())
            }
            other => self.replace(other, false),
        }
    }
}

impl VisitorMut for Rewriter<'_> {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Box<Error>> {
        if self.nested == 0
            && let Err(error) = rewrite_query(query, self.env, Some(self.names))
        {
            return ControlFlow::Break(Box::new(error));
        }
        self.nested += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Box<Error>> {
        self.nested -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Box<Error>> {
        if self.nested > 0 {
            return ControlFlow::Continue(());
        }
        match self.enter(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

/// An access to an attribute, read and looked up.
struct Attribute {
    /// What its output column is called.
    name: String,
    found: Option<(Option<Ident>, Access)>,
    span: Span,
    key: Key,
}

impl Attribute {
    fn expr(self, numeric: bool) -> Result<Expr, Error> {
        let Some((relation, access)) = self.found else {
            return Ok(Expr::Value(ValueWithSpan { value: Value::Null, span: self.span }));
        };
        let prefix = relation
            .as_ref()
            .map(|r| format!("{}.", quote_identifier(&normal(r))))
            .unwrap_or_default();
        match access.render(&prefix, &self.key, numeric) {
            Rendered::Column(name) => {
                let mut column = Ident::with_quote('"', name);
                column.span = self.span;
                Ok(match relation {
                    Some(relation) => Expr::CompoundIdentifier(vec![relation, column]),
                    None => Expr::Identifier(column),
                })
            }
            Rendered::Sql(sql) => names::parse_expr(&sql),
        }
    }
}

fn constraint(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    match operator {
        JoinOperator::Join(c)
        | JoinOperator::Inner(c)
        | JoinOperator::Left(c)
        | JoinOperator::LeftOuter(c)
        | JoinOperator::Right(c)
        | JoinOperator::RightOuter(c)
        | JoinOperator::FullOuter(c)
        | JoinOperator::CrossJoin(c)
        | JoinOperator::Semi(c)
        | JoinOperator::LeftSemi(c)
        | JoinOperator::RightSemi(c)
        | JoinOperator::Anti(c)
        | JoinOperator::LeftAnti(c)
        | JoinOperator::RightAnti(c)
        | JoinOperator::StraightJoin(c)
        | JoinOperator::AsOf { constraint: c, .. } => Some(c),
        _ => None,
    }
}

fn is_comparison(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
    )
}

fn is_number(expr: &Expr) -> bool {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::Number(..), .. }) => true,
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => is_number(expr),
        Expr::Nested(expr) => is_number(expr),
        _ => false,
    }
}

/// `time_bucket('5 minutes', time)` is `date_bin(INTERVAL '5 minutes', time)`; the interval may be
/// a plain text in both.
fn time_bucket(function: &mut ast::Function) {
    let [ObjectNamePart::Identifier(name)] = function.name.0.as_mut_slice() else { return };
    let word = normal(name);
    if word != "time_bucket" && word != "date_bin" {
        return;
    }
    "date_bin".clone_into(&mut name.value);
    if let FunctionArguments::List(list) = &mut function.args
        && let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(first))) = list.args.first_mut()
        && let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(_), .. }) = first
    {
        *first = Expr::Interval(ast::Interval {
            value: Box::new(first.clone()),
            leading_field: None,
            leading_precision: None,
            last_field: None,
            fractional_seconds_precision: None,
        });
    }
}

#[cfg(test)]
mod tests;
