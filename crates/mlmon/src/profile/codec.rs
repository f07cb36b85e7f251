//! A profile as bytes; `docs/formats/profile.md` is the contract.

use std::collections::BTreeMap;
use std::sync::Arc;

use datasketches::frequencies::FrequentItemsSketch;
use datasketches::hll::HllSketch;
use datasketches::kll::KllSketch;

use super::{Edges, Moments, Profile, Sketches};
use crate::Error;

const MAGIC: &[u8; 4] = b"TFPR";
const VERSION: u8 = 1;
const NUMERIC: u8 = 0;
const CATEGORIES: u8 = 1;
/// More rows than this are no count of anything, and floats could not hold it.
const ROWS_LIMIT: u64 = 1 << 53;
/// A profile has no more bins, names or sketch bytes than this; more is not a profile of ours.
const LENGTH_LIMIT: u64 = 1 << 24;

pub(super) fn encode(profile: &Profile) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + profile.counts.len() * 10);
    out.extend_from_slice(MAGIC);
    out.push(VERSION);
    match profile.edges.as_ref() {
        Edges::Numeric(cuts) => {
            out.push(NUMERIC);
            number(&mut out, cuts.len() as u64);
            cuts.iter().for_each(|cut| out.extend_from_slice(&cut.to_le_bytes()));
        }
        Edges::Categories(categories, _) => {
            out.push(CATEGORIES);
            number(&mut out, categories.len() as u64);
            categories.iter().for_each(|name| bytes(&mut out, name.as_bytes()));
        }
    }
    profile.counts.iter().for_each(|count| number(&mut out, *count));
    for count in [profile.missing, profile.nan, profile.infinite[0], profile.infinite[1]] {
        number(&mut out, count);
    }
    let moments = &profile.moments;
    number(&mut out, moments.count);
    for value in [moments.origin, moments.sum, moments.square, moments.least, moments.most] {
        out.extend_from_slice(&value.to_le_bytes());
    }
    number(&mut out, profile.unseen.len() as u64);
    for (name, times) in &profile.unseen {
        bytes(&mut out, name.as_bytes());
        number(&mut out, *times);
    }
    let sketches = profile.sketches.as_deref();
    let quantiles = sketches.and_then(|s| s.quantiles.as_ref()).map(KllSketch::serialize);
    let cardinality = sketches.and_then(|s| s.cardinality.as_ref()).map(HllSketch::serialize);
    let frequent = sketches.and_then(|s| s.frequent.as_ref()).map(FrequentItemsSketch::serialize);
    out.push(u8::from(sketches.is_some()));
    for sketch in [quantiles, cardinality, frequent] {
        bytes(&mut out, &sketch.unwrap_or_default());
    }
    out
}

fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    number(out, value.len() as u64);
    out.extend_from_slice(value);
}

pub(super) fn decode(input: &[u8]) -> Result<Profile, Error> {
    let mut reader = Reader { rest: input };
    if reader.take(4)? != MAGIC {
        return Err(bad("it does not begin with TFPR"));
    }
    let version = reader.byte()?;
    if version != VERSION {
        return Err(bad(&format!("version {version} is not known")));
    }
    let edges = match reader.byte()? {
        NUMERIC => {
            let length = reader.length()?;
            let cuts = (0..length).map(|_| reader.float()).collect::<Result<Vec<f64>, Error>>()?;
            if !cuts.is_sorted() || cuts.iter().any(|cut| !cut.is_finite()) {
                return Err(bad("its cuts are not ascending"));
            }
            Edges::Numeric(cuts)
        }
        CATEGORIES => {
            let length = reader.length()?;
            let names = (0..length).map(|_| reader.text()).collect::<Result<Vec<_>, Error>>()?;
            Edges::from_categories(names)
        }
        other => return Err(bad(&format!("edges of kind {other} are not known"))),
    };
    let mut profile = Profile::new(Arc::new(edges));
    for count in &mut profile.counts {
        *count = reader.number()?;
    }
    profile.missing = reader.number()?;
    profile.nan = reader.number()?;
    profile.infinite = [reader.number()?, reader.number()?];
    let counters = profile.counts.iter().chain(&profile.infinite);
    let counters = counters.chain([&profile.missing, &profile.nan]);
    let rows = counters.fold(0_u64, |sum, count| sum.saturating_add(*count));
    if rows > ROWS_LIMIT {
        return Err(bad("it counts more rows than there can be"));
    }
    profile.moments = moments(&mut reader)?;
    if profile.moments.count > ROWS_LIMIT {
        return Err(bad("it counts more rows than there can be"));
    }
    let length = reader.length()?;
    let mut unseen = BTreeMap::new();
    for _ in 0..length {
        let (name, times) = (reader.text()?, reader.number()?);
        if times > rows {
            return Err(bad("a category has more rows than there are"));
        }
        unseen.insert(name, times);
    }
    profile.unseen = unseen;
    profile.sketches = sketches(&mut reader)?;
    if reader.rest.is_empty() { Ok(profile) } else { Err(bad("bytes follow its end")) }
}

fn moments(reader: &mut Reader<'_>) -> Result<Moments, Error> {
    let count = reader.number()?;
    let mut moments = Moments::about(reader.float()?);
    moments.count = count;
    moments.sum = reader.float()?;
    moments.square = reader.float()?;
    moments.least = reader.float()?;
    moments.most = reader.float()?;
    Ok(moments)
}

fn sketches(reader: &mut Reader<'_>) -> Result<Option<Box<Sketches>>, Error> {
    let present = reader.byte()? == 1;
    let quantiles = reader.blob()?;
    let cardinality = reader.blob()?;
    let frequent = reader.blob()?;
    if !present {
        return Ok(None);
    }
    let refuse = |error: datasketches::error::Error| bad(&error.to_string());
    Ok(Some(Box::new(Sketches {
        quantiles: match quantiles {
            [] => None,
            bytes => Some(KllSketch::deserialize(bytes).map_err(refuse)?),
        },
        cardinality: match cardinality {
            [] => None,
            bytes => Some(HllSketch::deserialize(bytes).map_err(refuse)?),
        },
        frequent: match frequent {
            [] => None,
            bytes => Some(FrequentItemsSketch::deserialize(bytes).map_err(refuse)?),
        },
    })))
}

fn bad(why: &str) -> Error {
    Error::Decode(why.to_owned())
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) =
            self.rest.split_at_checked(length).ok_or_else(|| bad("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    fn float(&mut self) -> Result<f64, Error> {
        let bytes = self.take(8)?;
        bytes.try_into().map(f64::from_le_bytes).map_err(|_| bad("it ends too early"))
    }

    fn number(&mut self) -> Result<u64, Error> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                break;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(bad("a number is too long"))
    }

    /// A length that the rest of the input can hold, so that nobody makes us reserve memory.
    fn length(&mut self) -> Result<usize, Error> {
        let length = self.number()?;
        if length > LENGTH_LIMIT.min(self.rest.len() as u64) {
            return Err(bad("a length goes beyond its end"));
        }
        usize::try_from(length).map_err(|_| bad("a length goes beyond its end"))
    }

    fn blob(&mut self) -> Result<&'a [u8], Error> {
        let length = self.length()?;
        self.take(length)
    }

    fn text(&mut self) -> Result<Box<str>, Error> {
        let text = std::str::from_utf8(self.blob()?).map_err(|_| bad("a name is not UTF-8"))?;
        Ok(text.into())
    }
}
