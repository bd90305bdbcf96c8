#!/bin/sh
# Plays days of a recommender forward on ML-100K: a prompt chosen on what was rated by a first
# day, watched on five later ones; scores by day and by how popular the films were on the first
# day, and what a recommendation costs. Needs no key; some minutes.
#
#   sh studies/ml100k-days.sh [FOLDER]        (default: ml100k-days-played)
#
# A day is as many ratings as the others, not as many hours: the first holds the earliest three
# fifths of them all, each later one eight per cent.
set -eu
studies=$(cd "$(dirname "$0")" && pwd)
folder=${1:-ml100k-days-played}
sp=${SHIFTPROOF:-shiftproof}
mkdir -p "$folder/days"
cp "$studies/ml100k-days.toml" "$folder/study.toml"
cd "$folder"

rows=$("$sp" data fetch ml-100k)

# By time, and within a second as the data set has them.
sed 's/.*"time":\([0-9]*\).*/\1/' "$rows" | paste - "$rows" | sort -s -n -k 1,1 | cut -f 2- > days/all.jsonl
awk '{ share = (NR - 1) / 100000
       file = share < 0.6 ? "committed" : "day-" int((share - 0.6) / 0.08) + 2
       print > ("days/" file ".jsonl") }' days/all.jsonl

# Day 1: a prompt is searched for, and is in use from then on where the gate lets it. The gate
# ends with 2 where the search kept the prompt in use, and with 100 and more where it says no.
"$sp" optimize study.toml --quiet
"$sp" gate study.toml --quiet --run ml100k-days-s1-1 --write-baseline in-use.json ||
    case $? in 2 | 1??) ;; *) exit 1 ;; esac
set --
test ! -f in-use.json || set -- --baseline in-use.json

# The days after, each after all before it.
for number in 2 3 4 5 6; do
    "$sp" drift study.toml --quiet --batch "days/day-$number.jsonl" -o days.html -o days.txt "$@" > told.txt || test $? -eq 102
    tail -n 1 told.txt
    set -- "$@" --before "days/day-$number.jsonl"
done
cat days.txt
