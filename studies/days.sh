#!/bin/sh
# Plays days forward on real data: yesterday's prompt, day 1 as it was chosen for, from day 3 on
# other texts under the same name; alarm, labels, a run that goes on, and the new prompt's days.
# Needs no key; some minutes.
#
#   sh studies/days.sh [FOLDER]        (default: days-played)
#
# A person's part, the labels, is played by the data set's own labels.
set -eu
studies=$(cd "$(dirname "$0")" && pwd)
folder=${1:-days-played}
sp=${SHIFTPROOF:-shiftproof}
mkdir -p "$folder/days"
cp "$studies/days.toml" "$folder/days.toml"
cd "$folder"

rows=$("$sp" data fetch vader)

# Every STEPth text of one domain, COUNT of them from the STARTth on, as a feed.
take() { # DOMAIN START STEP COUNT FEED
    awk -v domain="\"domain\":\"$1\"" -v start="$2" -v step="$3" -v count="$4" \
        'index($0, domain) { if (n++ % step == start && taken < count) { taken++; print } }' "$rows" |
        sed "s/\"domain\":\"[a-z]*\"/\"feed\":\"$5\"/"
}
# What a day brings has no label; what a person would say is kept aside.
day() { # NUMBER
    cp "days/truth-$1.jsonl" "days/day-$1.jsonl"
    sed -i.bak 's/,"label":"[a-z]*"//; s/,"score":[-0-9.]*//' "days/day-$1.jsonl"
    rm -f "days/day-$1.jsonl.bak"
}
{ take movies 0 15 700 shop; take amazon 0 8 500 live; } > days/committed.jsonl
take amazon 1 8 100 live > days/truth-1.jsonl
take amazon 2 8 100 live > days/truth-2.jsonl
{ take amazon 3 8 50 live; take nyt 0 20 50 live; } > days/truth-3.jsonl
for number in 4 5 6 7; do take nyt "$number" 20 100 live > "days/truth-$number.jsonl"; done
for number in 1 2 3 4 5 6 7; do day "$number"; done

# Labels for N inputs of a day that were drawn at random, by the study's file of labels.
label() { # NUMBER N
    "$sp" label days.toml --batch "days/day-$1.jsonl" -n "$2" --export asked.csv
    awk -F, -v OFS=, 'NR == FNR {
            match($0, /"id":"[^"]*"/); id = substr($0, RSTART + 6, RLENGTH - 7)
            match($0, /"label":"[^"]*"/); truth[id] = substr($0, RSTART + 9, RLENGTH - 10); next
        }
        FNR == 1 || !($1 in truth) { print; next }
        { $3 = truth[$1]; print }' "days/truth-$1.jsonl" asked.csv > filled.csv
    "$sp" label days.toml --batch "days/day-$1.jsonl" --import filled.csv
}
drift() { # NUMBER, and --baseline FILE where the prompt is no longer the study's
    number=$1; shift
    "$sp" drift days.toml --quiet --batch "days/day-$number.jsonl" -o days.html "$@" || test $? -eq 102
}

# Yesterday: a first search, with no label of the live feed.
"$sp" optimize days.toml --quiet
for number in 1 2 3 4 5; do
    drift "$number" | tail -n 1
    label "$number" 40
    drift "$number" --re-race
done
# The search goes on with the labels; what ships is in use from then on.
"$sp" optimize days.toml --quiet --continue
"$sp" gate days.toml --quiet --run days-s1-2 --write-baseline in-use.json || test $? -ge 100
for number in 6 7; do
    drift "$number" --baseline in-use.json | tail -n 1
    label "$number" 40
    drift "$number" --baseline in-use.json
done
