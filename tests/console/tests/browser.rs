//! The console in a real browser, with a real sign-in and calls that wait at the real control. What happens is in
//! `browser.mjs`.

use gatehold_console_tests::stage::play;

#[tokio::test]
async fn signs_in_and_sees_calls_as_they_come() {
    play("queue").await;
}

#[tokio::test]
async fn decides_by_keyboard_and_sees_what_became_of_it() {
    play("decide").await;
}

#[tokio::test]
async fn hidden_text_is_seen() {
    play("hostile").await;
}

#[tokio::test]
async fn a_requester_cannot_approve_and_nobody_can_be_tricked_into_it() {
    play("forged").await;
}

#[tokio::test]
async fn too_late_says_so() {
    play("late").await;
}

#[tokio::test]
async fn fits_a_phone_and_both_colour_schemes() {
    play("looks").await;
}

#[tokio::test]
async fn the_fleet_is_seen() {
    play("fleet").await;
}

#[tokio::test]
async fn works_without_scripts() {
    play("plain").await;
}
