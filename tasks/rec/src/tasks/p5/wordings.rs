//! The templates. Seen and held-out ones differ in more than words: statement
//! or question, what comes first, whether the user is described, and how lists
//! are written.
//!
//! | place | holds |
//! | --- | --- |
//! | `{history as WAY}`, also `liked`, `disliked`, `candidates` | titles: `quotes` joined by commas, `lines`, `numbers` |
//! | `{choices}` | the candidates as a block of their own, or nothing |
//! | `{user}`, `{profile}` | "user" with what is known in brackets; a line of it, or nothing |
//! | `{thing}`, `{action}`, `{low}`, `{high}` | the study's words for items and actions, the scale's ends |
//! | `{item}`, `{input}` | the target's title; the input of a task about texts |

use super::P5Family;

/// The templates' names; those held out are meant as target groups.
pub(super) const NAMES: [&str; 6] = [
    "seen-1",
    "seen-2",
    "seen-3",
    "seen-4",
    "held-out-1",
    "held-out-2",
];

/// The templates of a family by name.
pub(super) fn of(family: P5Family) -> Vec<(&'static str, &'static str)> {
    let texts = match family {
        P5Family::Rating => RATING,
        P5Family::Sequential => SEQUENTIAL,
        P5Family::Explanation => EXPLANATION,
        P5Family::Review => REVIEW,
        P5Family::Direct => DIRECT,
    };
    NAMES.into_iter().zip(texts).collect()
}

const RATING: [&str; 6] = [
    "Liked: {liked as quotes}\nDisliked: {disliked as quotes}\n\
     To be rated from {low} to {high}: {item}",
    "How many points, {high} being the most and {low} the least, will {item} get? The user was \
     pleased with {liked as quotes} and disappointed by {disliked as quotes}.",
    "{profile}This {thing} is to be rated: {item}\n\nThe user spoke well of\n{liked as lines}\n\n\
     and ill of\n{disliked as lines}",
    "Not to the user's taste:\n{disliked as numbers}\n\nTo the user's taste:\n{liked as numbers}\n\n\
     Where between {low} and {high} does {item} belong?",
    "Suppose a {user} who enjoys {liked as quotes} and avoids {disliked as quotes} has just \
     {action} {item}. The {thing} earns a mark between {low} and {high}.",
    "{item}: a {low}, a {high}, or something between? Decide for somebody with these favourites:\n\
     {liked as lines}\n\nThese were no favourites:\n{disliked as lines}",
];

const SEQUENTIAL: [&str; 6] = [
    "The user has {action}, oldest first:\n{history as numbers}\n\n{choices}\
     The {thing} that follows is wanted.",
    "Which {thing} comes next? {choices}The user has {action}, in this order: {history as quotes}.",
    "{profile}{choices}One after the other, the user has {action} {history as quotes}. \
     Continue the series.",
    "{choices}Everything that was {action} so far, the latest at the end:\n{history as lines}\n\n\
     What will be added to this list?",
    "Somebody keeps a diary of every {thing} {action}. Its pages, from the first to the last, say \
     {history as quotes}. {choices}What will stand on the next page?",
    "{choices}The next step of a {user} has to be foreseen. Steps up to now:\n{history as lines}",
];

const EXPLANATION: [&str; 6] = [
    "{input}\n\nThe reason why the user likes it is wanted.",
    "Why does the user like it?\n\n{input}",
    "{profile}What is known:\n{input}\n\nWhat pleased this user?",
    "An explanation is to stand beside a recommendation. It is about the following.\n\n{input}",
    "\"{input}\"\n\nFinish the sentence as the user would: I like it because",
    "A friend asks the {user} what is so good about it, and gets a short answer. All that is at \
     hand:\n{input}",
];

const REVIEW: [&str; 6] = [
    "{input}\n\nA summary of this review is wanted.",
    "What does this review say in short?\n\n{input}",
    "{profile}The review:\n{input}\n\nIts headline:",
    "A headline is missing above the following text.\n\n{input}",
    "\"{input}\"\n\nHow would the writer put that in a few words?",
    "A {user} has no time to read all of it and asks for the gist. It goes like this:\n{input}",
];

const DIRECT: [&str; 6] = [
    "The user has {action} {history as quotes}.\n\nCandidates:\n{candidates as numbers}\n\n\
     Those that suit the user are wanted.",
    "Which of these suit the user?\n{candidates as lines}\n\n\
     Known about the user, who has {action} them all: {history as quotes}",
    "{profile}Recommend from this list: {candidates as quotes}.\n\n\
     The user has {action} before:\n{history as lines}",
    "Already {action}:\n{history as numbers}\n\nWhat should be offered now, out of \
     {candidates as quotes}?",
    "There is room for few on the shelf. In store are\n{candidates as lines}\n\nand at the door \
     waits a {user} who has {action} {history as quotes}. Fill the shelf.",
    "{candidates as quotes}: what would you press into the hands of somebody with this past?\n\
     {history as lines}",
];
