//! `match_text(text, 'words')`: whether the text has every one of the words, as whole words and in
//! any case. What a word is, [`model::token`] says: it is what the token filters of the files hold,
//! so that a search can skip files.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, BooleanArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use model::token::Words;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct MatchText {
    signature: Signature,
}

impl MatchText {
    pub(super) fn new() -> MatchText {
        MatchText { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for MatchText {
    fn name(&self) -> &str {
        "match_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        if !args.iter().all(|t| t.is_string() || t.is_null()) {
            return plan_err!("match_text takes a text and words");
        }
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text, words] = args.args.as_slice() else {
            return plan_err!("match_text takes a text and words");
        };
        let ColumnarValue::Scalar(words) = words else {
            return plan_err!("match_text: the words must be a literal");
        };
        let Some(Some(words)) = words.try_as_str() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None)));
        };
        let words = Words::new(words);
        match text {
            ColumnarValue::Scalar(text) => {
                let found = text.try_as_str().flatten().map(|text| words.are_in(text));
                Ok(ColumnarValue::Scalar(ScalarValue::Boolean(found)))
            }
            ColumnarValue::Array(array) => {
                let array = cast(array, &DataType::Utf8View)?;
                let texts = array.as_string_view();
                let found: BooleanArray =
                    texts.iter().map(|text| text.map(|text| words.are_in(text))).collect();
                Ok(ColumnarValue::Array(Arc::new(found)))
            }
        }
    }
}
