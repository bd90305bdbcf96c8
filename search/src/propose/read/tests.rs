use proptest::prelude::*;

use super::*;

fn labels() -> Vec<String> {
    ["positive", "negative"].map(str::to_owned).to_vec()
}

#[track_caller]
fn check(reply: &str, expect: &[&str]) {
    assert_eq!(read(reply, &labels()), expect, "{reply}");
}

/// Prompts as people and models write them: nothing of them may be lost.
const PROMPTS: [&str; 16] = [
    "Decide if the shopper is happy. Reply with positive or negative only.",
    "You are the triage desk of a shop. Read one note and decide about its mood.\n\nRules:\n- Weigh \
     what the note says about use and price.\n- Ignore spelling and length.\n\nOutput: exactly one \
     word, positive or negative.",
    "Classify the following review.\n\n1. Read the whole review.\n2. List what the writer liked.\n3. \
     Decide which side weighs more.\n\nAnswer with positive or negative.",
    "Label the mood of a review.\n\nRespond with a JSON object like this:\n\n```json\n{\"label\": \
     \"positive\"}\n```\n\nThe label is positive or negative. Do not add text around the object.",
    "Think step by step inside <thinking> tags, then write positive or negative inside <answer> \
     tags.\n\nExample:\n<answer>positive</answer>\n\nNothing may follow the last tag.",
    "# Role\nYou judge reviews of films and books.\n\n# Rules\n- Praise of one part does not outweigh a \
     broken whole.\n- A question about a fault is negative.\n\n# Output\nOne word: positive or negative.",
    "<role>You judge reviews.</role>\n<rules>\nIrony counts as its opposite.\nA refund counts as \
     negative.\n</rules>\n<output>positive or negative</output>",
    "Read the note below: it was left by a shopper. Say whether they would buy again.\n\nNote: ratings \
     in stars are not to be trusted.\n\nAnswer positive if they would and negative if not.",
    "If the writer says \"never again\", answer negative; if they say \"sorry\" or \"I cannot stop \
     using it\", judge by the whole.\n\nAnswer \"positive\" or \"negative\".",
    "- Read the review with care.\n- Do not guess what the writer bought before.\n- Answer positive or \
     negative, in lower case.",
    "Is the review positive or negative?\nReview: {text}\nAnswer:",
    "Task: sentiment of one review.\n\nLabels:\n* positive: the writer is content\n* negative: the \
     writer is not\n\nLet mixed reviews follow their last sentence. Output the label alone.",
    "Here is a review of a shop. Say positive or negative, and nothing else.\n\nWhen in doubt, prefer \
     negative.",
    "**Task**\nJudge the mood of the text.\n\n**Labels**\npositive, negative\n\n**Notes**\nThe text may \
     be in any language.",
    "Bewerte die Stimmung der Rezension.\n\nAntworte mit genau einem Wort: positive oder negative. \
     Begründe nichts.",
    "判断评论的情绪。\n\n规则：\n- 只看内容。\n- 不要解释。\n\n只回答 positive 或 negative。",
];

/// What models put around a prompt, `@` in its place.
const SHAPES: [&str; 62] = [
    "@",
    "<prompt>@</prompt>",
    "<prompt>\n@\n</prompt>",
    "Sure! Here is the prompt:\n\n<prompt>\n@\n</prompt>\n\nLet me know if you want changes.",
    "I will write it in <prompt> tags.\n\n<prompt>\n@\n</prompt>",
    "<PROMPT>\n@\n</PROMPT>",
    "<prompt>\n@",
    "@\n</prompt>",
    "<prompt>\n```\n@\n```\n</prompt>",
    "```xml\n<prompt>\n@\n</prompt>\n```",
    "<think>The outputs are moods. I could write <prompt>Judge.</prompt> but more is \
     needed.</think>\n\n<prompt>\n@\n</prompt>",
    "<think>\nThe outputs are moods.\n\nSo I ask for one.\n</think>\n\n@",
    "Okay, let me look for a pattern in the outputs first. They seem to be moods.\n</think>\n\n@",
    "<reasoning>Moods, I think.</reasoning>\n<prompt>@</prompt>",
    "Sure! Here is an instruction that fits all of these inputs:\n\n@",
    "Certainly! Below is a revised version of the prompt:\n\n@",
    "Here's the instruction:\n\n**Instruction:** @",
    "Here's an improved prompt:\n@",
    "Based on the examples you gave me, the instruction was probably this one:\n\n@",
    "Of course.\n\n@",
    "Absolutely! I'd be happy to help.\n\n@",
    "Okay, let me think about what these inputs have in common. I see moods in all of them.\n\nSo the \
     instruction could be:\n\n@",
    "The instruction was:\n@",
    "My suggestion for a better prompt:\n\n---\n@\n---",
    "```\n@\n```",
    "```text\n@\n```",
    "````markdown\n@\n````",
    "~~~\n@\n~~~",
    "Here is the prompt:\n\n```\n@\n```",
    "Here is the prompt:\n\n```markdown\n@\n```\n\nThis prompt keeps the labels as they are.",
    "Here is the rewritten prompt you asked for:\n\n```prompt\n@\n```\n\n**Key changes:**\n- shorter\n- \
     clearer\n",
    "<instruction>@</instruction>",
    "<new_prompt>\n@\n</new_prompt>",
    "Here you go, a new prompt:\n\n<improved_prompt>\n@\n</improved_prompt>\n\nI hope this helps!",
    "<system_prompt>\n@\n</system_prompt>",
    "[PROMPT]\n@\n[/PROMPT]",
    "# Prompt\n\n@",
    "## Improved prompt\n\n@",
    "### Revised Instruction\n@\n\n### Explanation\nThe revised prompt names both labels.",
    "## Analysis\nThe current prompt does not say what counts as a fault.\n\n## Improved Prompt\n@\n\n## \
     Why this works\nIt names both labels.",
    "**Prompt:**\n\n@",
    "**Improved Prompt**\n\n@",
    "Prompt: @",
    "Instruction: @",
    "\"@\"",
    "“@”",
    "«@»",
    "Sure, here's the instruction:\n\n\"@\"",
    "@\n\nLet me know if you'd like any adjustments!",
    "@\n\nThis prompt works because it names the labels and keeps the answer short.",
    "@\n\n---\n\n**Why this works:**\n\n1. It names the labels.\n2. It is short.",
    "@\n\n---\nFeel free to adapt it.",
    "@\n\nNote: this prompt assumes that reviews are short.",
    "@\n\nExplanation: The instruction names both labels so that answers can be read.",
    "@\n\nWould you like me to make it shorter?",
    "@\n\n(This version is clearer about the output.)",
    "Here is a paraphrase of the instruction:\n\n@\n\nI kept the output format.",
    "The prompt that I would use is:\n\n@",
    "Great question! Here's a refined version of the prompt.\n\n@",
    "A better instruction would be:\n\n@",
    "Final prompt:\n\n@",
    "In other words, the instruction is:\n\n@",
];

/// The prompt as JSON, block quote and escaped text, which change its characters.
fn written(shape: usize, prompt: &str) -> String {
    let json = serde_json::to_string(prompt).unwrap();
    let quote: Vec<String> = prompt.lines().map(|line| format!("> {line}")).collect();
    let quote = quote.join("\n");
    match shape {
        0 => format!("{{\"instruction\": {json}}}"),
        1 => format!("```json\n{{\"prompt\": {json}}}\n```"),
        2 => format!("Here is the prompt as JSON:\n\n```json\n{{\n  \"prompt\": {json}\n}}\n```"),
        3 => format!("[{json}]"),
        4 => format!("{{\"reasoning\": \"Both labels are named.\", \"new_prompt\": {json}}}"),
        5 => format!("{{\"prompt\": \"{}\"}}", prompt.replace('"', "\\\"")),
        6 => quote,
        7 => format!("Here is the instruction:\n\n{quote}"),
        8 => format!("<prompt>{{\"prompt\": {json}}}</prompt>"),
        9 => format!(
            "<prompt>\r\n{}\r\n</prompt>\r\n",
            prompt.replace('\n', "\r\n")
        ),
        _ => json,
    }
}

fn shapes(prompt: &str) -> Vec<String> {
    let plain = SHAPES.iter().map(|shape| shape.replace('@', prompt));
    plain
        .chain((0..11).map(|shape| written(shape, prompt)))
        .collect()
}

#[test]
fn prompts_of_every_shape_survive() {
    let (mut kept, mut lost) = (0, Vec::new());
    for prompt in PROMPTS {
        for reply in shapes(prompt) {
            let got = read(&reply, &labels());
            if got == [prompt] {
                kept += 1;
            } else {
                lost.push(format!("{reply}\n=> {got:#?}"));
            }
        }
    }
    let all = kept + lost.len();
    assert!(
        kept * 100 >= all * 99,
        "{kept} of {all} kept; lost:\n{}",
        lost.join("\n\n----\n")
    );
}

#[test]
fn lead_in_alone_is_nothing() {
    for reply in [
        "Sure! Here is an instruction that fits all of these inputs:",
        "Certainly! I can help with that.",
        "Okay, let me look for a pattern in the outputs first. I see moods.",
        "<think>What could it be? I would say moods.",
        "Here's the instruction:\n\n",
        "**Improved prompt:**",
        "<prompt></prompt>",
        "",
        "```\n```",
    ] {
        check(reply, &[]);
    }
}

#[test]
fn several_prompts_are_not_lists() {
    let (a, b) = (
        "Say if the note is positive or negative.",
        "Judge the mood, positive or negative.",
    );
    let both: &[&str] = &[a, b];
    for reply in [
        format!("1. {a}\n2. {b}"),
        format!("Here are two prompts:\n\n1. \"{a}\"\n2. \"{b}\""),
        format!("- {a}\n- {b}"),
        format!("Here are some options:\n\n* {a}\n\n* {b}\n\nLet me know which you like."),
        format!("**Prompt 1:** {a}\n\n**Prompt 2:** {b}"),
        format!("### Option A\n{a}\n\n### Option B\n{b}"),
        format!("Version 1:\n{a}\n\nVersion 2:\n{b}"),
        format!("<prompt>{a}</prompt>\n<prompt>{b}</prompt>"),
        format!("[\"{a}\", \"{b}\"]"),
        format!("{{\"prompts\": [\"{a}\", \"{b}\"]}}"),
        format!("```json\n[{{\"prompt\": \"{a}\"}}, {{\"prompt\": \"{b}\"}}]\n```"),
        format!("First:\n```\n{a}\n```\nor\n```\n{b}\n```"),
    ] {
        check(&reply, both);
    }
    let steps =
        "1. Read the review.\n2. Decide if the shopper is happy.\n3. Answer positive or negative.";
    check(steps, &[steps]);
    let rules =
        "- If the writer praises it, answer positive.\n- If the writer complains, answer negative.";
    check(rules, &[rules]);
}

#[test]
fn prompt_content_stays() {
    for prompt in [
        "\"positive\" or \"negative\"?",
        "Label the text:",
        "{\"label\": \"positive or negative\", \"why\": \"one sentence\"} is the form of the answer.",
        "Answer in this form:\n```json\n{\"label\": \"positive\"}\n```",
        "Sort reviews into positive and negative. Prompt answers are not needed.",
        "I need to sort reviews into positive and negative. Read each and name its mood.",
        "After reading the review, choose its mood from these options: positive, negative.",
        "Okay reviews count as positive, poor ones as negative.",
        "Let me be clear: answer positive or negative.",
        "Instructions:\n- Read it.\n- Say positive or negative.\n\nOutput format:\none word",
    ] {
        check(prompt, &[prompt]);
    }
}

#[test]
fn broken_forms_are_read_partly() {
    check(
        "{\"prompt\": \"Read the note.\nSay positive or negative.\"}",
        &["Read the note.\nSay positive or negative."],
    );
    check(
        "Read the note.\\n\\nSay positive or negative.",
        &["Read the note.\n\nSay positive or negative."],
    );
    check(
        "**Read the note and say positive or negative.**",
        &["Read the note and say positive or negative."],
    );
    check(
        "Sure! Read the note and say positive or negative.",
        &["Read the note and say positive or negative."],
    );
}

proptest! {
    #[test]
    fn any_reply_can_be_read(reply in "(<prompt>|</prompt>|```|\n|\"|\\{|\\}|# |> |- |1\\. |Sure! |prompt|:|</think>|é|\\PC){0,24}") {
        for prompt in read(&reply, &labels()) {
            prop_assert!(!prompt.trim().is_empty());
        }
    }

    /// Sentences in paragraphs, with a list: read as sent, in tags or without.
    #[test]
    fn paragraphs_and_lists_survive(
        paragraphs in prop::collection::vec("(Read|Weigh|Judge|Mind) the [a-z]{3,9}( [a-z]{2,9}){1,20}\\.", 1..5),
        items in prop::collection::vec("(Never|Always) [a-z]{3,9}( [a-z]{2,9}){1,8}\\.", 0..5),
        shape in 0..SHAPES.len(),
    ) {
        let mut prompt = paragraphs.join("\n\n");
        for item in &items {
            prompt.push_str("\n- ");
            prompt.push_str(item);
        }
        prompt.push_str("\n\nAnswer positive or negative.");
        let reply = SHAPES[shape].replace('@', &prompt);
        prop_assert_eq!(read(&reply, &labels()), [prompt]);
    }
}
