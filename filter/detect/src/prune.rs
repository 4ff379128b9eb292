//! Leaves out of a pack what no feature comes of, so that no scan looks at it.

use crate::pack::{NO_FEATURE, Parts};
use crate::{Step, shape};

/// Takes out steps that lead to no feature, and words of classes that nothing asks about.
pub(crate) fn prune(parts: &mut Parts) {
    let states = parts.states as usize;
    let mut complete = vec![false; states];
    let mut goes_on = vec![false; states];
    for step in parts.steps.iter().flatten() {
        if let Some(place) = complete.get_mut(usize::from(step.state)) {
            *place |= step.feature != NO_FEATURE;
        }
        if step.gap != Step::FIRST
            && let Some(place) = goes_on.get_mut(usize::from(step.state))
        {
            *place = true;
        }
    }
    let mut useful = vec![false; states + 1];
    for state in (0..states).rev() {
        let of = |list: &[bool], at: usize| list.get(at).copied().unwrap_or(false);
        let is = of(&complete, state) || (of(&goes_on, state + 1) && of(&useful, state + 1));
        if let Some(place) = useful.get_mut(state) {
            *place = is;
        }
    }
    for steps in &mut parts.steps {
        steps.retain(|step| useful.get(usize::from(step.state)).copied().unwrap_or(true));
    }
    let asked = |class: u16| {
        matches!(class, shape::ROT13 | shape::REVERSED)
            || parts
                .steps
                .get(usize::from(class))
                .is_none_or(|steps| !steps.is_empty())
    };
    let asked: Vec<bool> = (0..parts.classes).map(asked).collect();
    for (_, tags) in &mut parts.lexicon {
        tags.retain(|tag| asked.get(usize::from(tag.class)).copied().unwrap_or(true));
    }
    parts.lexicon.retain(|(_, tags)| !tags.is_empty());
}
