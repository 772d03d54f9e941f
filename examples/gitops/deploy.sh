#!/bin/sh
# Deploys a Santokit project from CI. Copy it into your repository; docs/reference/ci.md of Santokit explains it.
#
#   deploy.sh check                     find everything that is wrong with the project; asks no Hub
#   deploy.sh plan ENV                  what an apply to ENV would change: for a pull request
#   deploy.sh apply ENV                 do it: for the main branch
#   deploy.sh promote FROM ENV [REL]    let ENV run what FROM runs, which must be what is checked out, or a release: for a tag
#   deploy.sh rollback ENV [REL]        let ENV run what it ran before, or a release of before
#
# STK_HUB_URL and STK_TOKEN say which Hub, and who asks: `stk token create ci --level deploy --for shop/dev --for shop/prod`.
# DEPLOY_ACCEPT says what somebody has looked at and agrees to, in words with spaces between:
#   grants        components have powers that the release before did not give them
#   destructive   the schema takes away, or allows less than before
#   window        the schema becomes one that the release before does not know
#   drift         somebody else has changed the databases, and that stays
# DEPLOY_OUT is a folder for what the Hub answered (default: deploy-out). Keep it: it has the signed end of the audit log.
# STK is the program (default: stk).
#
# It ends with 0: done; 1: failed; 2: wrong usage; 3: refused, most often because consent is missing; 4: nobody answers.
set -eu

stk=${STK:-stk}
out=${DEPLOY_OUT:-deploy-out}

usage() {
    sed -n '4,8s/^#   //p' "$0" >&2
    exit 2
}

say() { printf '%s\n' "$*"; }

# The flags of what is agreed to, for `stk apply` (with drift) or `stk release promote` and `rollback` (without).
agreed() {
    for word in ${DEPLOY_ACCEPT:-}; do
        case "$word" in
            grants) printf ' --accept-grants' ;;
            destructive) printf ' --force' ;;
            window) [ "$1" = rollback ] || printf ' --migration-window' ;;
            drift) [ "$1" != apply ] || printf ' --accept-drift' ;;
            *)
                say "DEPLOY_ACCEPT has the word \"$word\"; it takes grants, destructive, window and drift" >&2
                exit 2
                ;;
        esac
    done
}

# A field of an answer, which is one line of JSON. In a text within it, a quote has a backslash before it.
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" "$2"; }

# Says what a plan needs consent for; ends with 3 where something is missing.
need_consent() {
    missing=''
    for pair in needsAcceptGrants=grants needsForce=destructive needsMigrationWindow=window needsAcceptDrift=drift; do
        if grep -q "\"${pair%=*}\":true" "$1"; then missing="$missing ${pair#*=}"; fi
    done
    # Whoever agrees to what is taken away agrees to the window as well.
    case "$missing" in *destructive*) missing=$(say "$missing" | sed 's/ window//') ;; esac
    [ -n "$missing" ] || return 0
    say "consent is missing: read the lines above; if they are meant, set DEPLOY_ACCEPT='${missing# }${DEPLOY_ACCEPT:+ $DEPLOY_ACCEPT}'" >&2
    exit 3
}

# Runs a command whose answer is kept in a file; where it fails, the answer is shown.
keep() {
    file=$1
    shift
    mkdir -p "$out"
    "$@" --json >"$file" || {
        code=$?
        cat "$file" >&2
        exit "$code"
    }
}

# What was done, for the log of the pipeline.
done_in() {
    say "$2 runs $(field releaseId "$1"), sequence $(field sequence "$1"), $(field digest "$1")"
    say "kept in $1, with the signed end of the audit log: stk audit verify --since-head $1"
}

plan() {
    "$stk" check
    flags=$(agreed apply)
    # shellcheck disable=SC2086
    "$stk" apply --env "$1" --dry-run $flags
    # shellcheck disable=SC2086
    keep "$out/plan-$1.json" "$stk" apply --env "$1" --dry-run $flags
    need_consent "$out/plan-$1.json"
}

apply() {
    plan "$1"
    # shellcheck disable=SC2086
    keep "$out/applied-$1.json" "$stk" apply --env "$1" --yes $flags
    done_in "$out/applied-$1.json" "$1"
}

promote() {
    release=${3:-}
    if [ -z "$release" ]; then
        keep "$out/source-$1.json" "$stk" apply --env "$1" --dry-run
        if ! grep -q '"moved":false' "$out/source-$1.json"; then
            say "$1 does not run what is checked out: apply it there first, or name the release" >&2
            exit 3
        fi
        release=$(field releaseId "$out/source-$1.json")
    fi
    flags=$(agreed promote)
    # shellcheck disable=SC2086
    "$stk" release promote "$release" --env "$2" --apply-schema --dry-run $flags
    # shellcheck disable=SC2086
    keep "$out/plan-$2.json" "$stk" release promote "$release" --env "$2" --apply-schema --dry-run $flags
    need_consent "$out/plan-$2.json"
    # shellcheck disable=SC2086
    keep "$out/promoted-$2.json" "$stk" release promote "$release" --env "$2" --apply-schema --yes $flags
    done_in "$out/promoted-$2.json" "$2"
}

rollback() {
    flags=$(agreed rollback)
    # shellcheck disable=SC2086
    keep "$out/rolled-back-$1.json" "$stk" release rollback --env "$1" ${2:+--to "$2"} --yes $flags
    done_in "$out/rolled-back-$1.json" "$1"
}

case "${1:-}/$#" in
    check/1) "$stk" check ;;
    plan/2) plan "$2" ;;
    apply/2) apply "$2" ;;
    promote/3 | promote/4) promote "$2" "$3" "${4:-}" ;;
    rollback/2 | rollback/3) rollback "$2" "${3:-}" ;;
    *) usage ;;
esac
