//! Images in a pod template.

use payops_core::domain::rollout::ImageChange;
use serde_json::Value;

/// The lists of containers in a pod template, as `kubectl set image` knows them.
const LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Changes images in the template at `template`, and says of which change no container was found.
pub(crate) fn set(
    object: &mut Value,
    template: &str,
    changes: &[ImageChange],
) -> Result<(), String> {
    for change in changes {
        let mut found = false;
        for list in LISTS {
            let containers = object
                .pointer_mut(&format!("{template}/spec/{list}"))
                .and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten() {
                let named = change.container == "*"
                    || container.get("name").and_then(Value::as_str) == Some(&change.container);
                if let (true, Some(container)) = (named, container.as_object_mut()) {
                    container.insert("image".to_owned(), Value::from(change.image.as_str()));
                    found = true;
                }
            }
        }
        if !found {
            return Err(change.container.clone());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::fixture;

    const AT: &str = "/spec/template";

    fn change(container: &str, image: &str) -> ImageChange {
        ImageChange {
            container: container.to_owned(),
            image: image.to_owned(),
        }
    }

    #[test]
    fn only_images_change() {
        let mut rollout = fixture::rollout();
        assert_eq!(
            set(
                &mut rollout,
                AT,
                &[change("api", "a:2"), change("migrate", "m:2")]
            ),
            Ok(())
        );
        let mut expected = fixture::rollout();
        expected["spec"]["template"]["spec"]["containers"][0]["image"] = json!("a:2");
        expected["spec"]["template"]["spec"]["initContainers"][0]["image"] = json!("m:2");
        assert_eq!(rollout, expected);
        assert_eq!(set(&mut rollout, AT, &[change("*", "x:1")]), Ok(()));
        assert!(!rollout.to_string().contains("registry/"));
    }

    #[test]
    fn an_unknown_container_is_named() {
        assert_eq!(
            set(&mut fixture::rollout(), AT, &[change("apu", "a:2")]),
            Err("apu".to_owned())
        );
        assert_eq!(
            set(&mut json!({}), AT, &[change("*", "a:2")]),
            Err("*".to_owned())
        );
    }
}
