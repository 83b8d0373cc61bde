//! Lists in pages.

use serde_json::Value;

use super::fail::{Cause, Failure};
use super::path::with_query;
use super::{Api, ApiRequest};
use crate::wire::text;

const PAGE: &str = "500";
/// How often a list is begun anew because its place was forgotten between two pages.
const ANEW_MAX: usize = 3;

#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) items: Vec<Value>,
    pub(crate) resource_version: String,
}

impl Api {
    /// Lists all of `path`, page by page.
    pub(crate) async fn list(
        &self,
        verb: &str,
        path: &str,
        selector: Option<&str>,
    ) -> Result<Listed, Failure> {
        let mut anew = 0;
        loop {
            match self.pages(verb, path, selector).await {
                Err((failure, true)) if failure.code() == Some(410) && anew < ANEW_MAX => anew += 1,
                Err((failure, _)) => return Err(failure),
                Ok(listed) => return Ok(listed),
            }
        }
    }

    /// All pages once; a failure says whether it came after the first page.
    async fn pages(
        &self,
        verb: &str,
        path: &str,
        selector: Option<&str>,
    ) -> Result<Listed, (Failure, bool)> {
        let mut listed = Listed {
            items: Vec::new(),
            resource_version: String::new(),
        };
        let mut next = String::new();
        loop {
            let mut query = vec![("limit", PAGE)];
            query.extend(selector.map(|selector| ("labelSelector", selector)));
            let later = !next.is_empty();
            if later {
                query.push(("continue", &next));
            }
            let mut page = self
                .call(verb, ApiRequest::Get, &with_query(path, &query))
                .await
                .map_err(|failure| (failure, later))?;
            let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) else {
                return Err((
                    self.to_failure(
                        verb,
                        false,
                        Cause::Unreadable("the list has no items".into()),
                    ),
                    later,
                ));
            };
            listed.items.extend(items);
            text(&page, "/metadata/resourceVersion").clone_into(&mut listed.resource_version);
            let following = text(&page, "/metadata/continue");
            if following.is_empty() {
                return Ok(listed);
            }
            if following == next {
                return Err((
                    self.to_failure(
                        verb,
                        false,
                        Cause::Unreadable("the list repeats its own continue token".into()),
                    ),
                    later,
                ));
            }
            following.clone_into(&mut next);
        }
    }
}
