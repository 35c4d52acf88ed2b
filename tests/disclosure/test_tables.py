"""Tables that must fail, and their twins that must pass."""

from __future__ import annotations

import pytest

from tests.disclosure.helpers import findings, places, rules, table, verdict
from tests.proves import proves

SMALL = [
    ("grouped with n", "lea,gender,score,n\n201,F,2,12\n201,M,4,3\n202,F,8,40", {(3, 4)}),
    ("grouped with Freq", "gender,score,Freq\nF,0,120\nM,0,9\nF,2,50", {(3, 3)}),
    ("pupils", "authority,pupils\nCamden,31\nLeeds,9", {(3, 2)}),
    ("number of pupils", "authority,Number of pupils\nCamden,31\nLeeds,4", {(3, 2)}),
    ("No. of pupils", "authority,No. of pupils\nCamden,31\nLeeds,4", {(3, 2)}),
    ("nPupils", "authority,nPupils\nCamden,31\nLeeds,4", {(3, 2)}),
    ("n_obs", "school_type,n_obs,median_wage\nA,31,15.2\nB,4,15.9", set()),
    ("cross-table, text headings", "region,North,South\nhigh,30,44\nlow,7,12", {(3, 2)}),
    ("cross-table, score headings", "lea,0,2,4\n201,20,30,11\n202,12,8,40", {(3, 3)}),
    ("cross-table, letters", "school,A,B,C,D,E,N,U\nS1,20,30,40,20,15,2,11", {(2, 7)}),
    ("cross-table, F and M", "score,F,M\n0,120,90\n2,11,4", {(3, 3)}),
    ("cross-table, yes and no", "region,yes,no\nNorth,120,90\nSouth,11,4", {(3, 3)}),
    ("cross-table, grade_A", "year,grade_A,grade_B\n1997,120,90\n1998,11,4", {(3, 3)}),
    ("cross-table with margins", "region,x,y,Total\nNorth,30,5,35\nSouth,20,20,40", {(2, 3)}),
    ("cross-table, corner empty", ",F,M\n0,120,90\n2,11,4", {(3, 3)}),
    ("cross-table, years across", "region,2018,2019\nNorth,120,90\nSouth,11,4", {(3, 3)}),
    ("one column, number as heading", "gender,0\nF,30\nM,5", {(3, 2)}),
    ("counts as floats", "gender,count\nF,30.0\nM,5.0", {(3, 2)}),
    ("thousands", 'gender,count\nF,"1,230"\nM,5', {(3, 2)}),
    ("spelled", "gender,count\nF,30\nM,three", {(3, 2)}),
    ("with a mark", "gender,count\nF,30\nM,3*", {(3, 2)}),
    ("with a note", "gender,count\nF,30\nM,3 [p]", {(3, 2)}),
    ("in brackets", "gender,count\nF,30\nM,(3)", {(3, 2)}),
    ("as a formula", 'gender,count\nF,30\nM,"=""3"""', {(3, 2)}),
    ("full width", "gender,count\nF,30\nM,\uff13", {(3, 2)}),
    ("with a zero-width space", "gender,count\nF,30\nM,\u200b3", {(3, 2)}),
    ("count with percentage", "gender,passed\nF,30 (12.5%)\nM,3 (1.2%)", {(3, 2)}),
    ("nine is below ten", "gender,count\nF,10\nM,9", {(3, 2)}),
    ("title above", "Table 1: pupils\n\ngender,count\nF,10\nM,9", {(5, 2)}),
    ("two tables", "gender,count\nF,10\nM,19\n\nscore,count\n2,50\n4,6", {(7, 2)}),
    ("two heading lines", ",n,n\n,F,M\n2,40,6\n4,50,12", {(3, 3)}),
    ("semicolons", "gender;count\nF;10\nM;9", {(3, 2)}),
    ("missing", "variable,missing\nscore,3\nage,0", {(2, 2)}),
    ("no heading, labels", "F,30,3\nM,20,40", {(1, 3)}),
    ("no heading", "201,20,30,11\n202,12,8,40", {(2, 3)}),
]

SAFE = [
    ("grouped with n", "lea,gender,score,n\n201,F,2,12\n201,M,4,13\n202,F,8,40"),
    ("coded groups", "region,stage,sex,n\n1,2,1,50\n1,3,2,60\n2,2,1,70"),
    ("cross-table", "lea,0,2,4\n201,20,30,11\n202,12,18,40"),
    ("ten is enough", "gender,count\nF,10\nM,10"),
    ("masked", "gender,count\nF,30\nM,<10"),
    ("masked otherwise", "gender,count\nF,30\nM,[c]"),
    ("years", "year,n\n1997,31022\n1998,30000"),
    ("years in two columns", "year,birth_year,n\n1997,1979,31022\n1998,1980,30000"),
    ("means with n", "gender,mean,sd,n\nF,5.2,1.1,900\nM,5.6,1.2,800"),
    ("mean score that is whole", "gender,mean_score,n\nF,5,900\nM,6,800"),
    ("median", "gender,median,n\nF,4,900\nM,6,800"),
    ("coefficients", "term,estimate,std_error,p,nobs\nintercept,2,1,0,31022\ngender,3,1,0.5,31022"),
    ("degrees of freedom", "test,chi2,df,n\ngender,9,4,31022"),
    ("identifiers of areas", "lea_id,school_code,n\n1,2,50\n2,3,40\n3,1,60"),
    ("rank", "authority,rank,n\nCamden,1,50\nLeeds,2,60"),
    ("average age", "class,average age,pupils\nA,7,50\nB,8,60"),
    ("percentages far from ten", "gender,n,percent passed\nF,900,52.1\nM,800,48.3"),
    ("share of all", "gender,n,percent\nF,25,25.0\nM,75,75.0"),
    ("totals", "region,x,y,Total\nNorth,30,15,45\nSouth,20,20,40\nTotal,50,35,85"),
    ("two hidden in a line", "region,x,y,z,Total\nNorth,<10,<10,30,41\nSouth,20,20,20,60"),
    ("odds ratios", "term,OR,lower,upper,n\ngender,2,1,3,31022"),
    ("empty", ""),
    ("heading only", "gender,count"),
    ("text only", "term,meaning\nlea,local education authority"),
]


@proves("satre:3.3.04", "satre:3.3.06", "satre:3.3.08")
@pytest.mark.parametrize(("name", "text", "where"), SMALL, ids=[case[0] for case in SMALL])
def test_small_counts_fail(name: str, text: str, where: set[tuple[int, int]]) -> None:
    found = {
        (item.locator.row, item.locator.column) for item in findings("t.csv", text + "\n") if item.severity == "fail"
    }
    assert found
    assert not where or found == where


@proves("satre:3.3.08")
@pytest.mark.parametrize(("name", "text"), SAFE, ids=[case[0] for case in SAFE])
def test_safe_twins_pass(name: str, text: str) -> None:
    assert [(item.rule, item.locator) for item in findings("t.csv", text + "\n")] == []


@proves("satre:3.3.06")
@pytest.mark.parametrize(
    ("text", "rule", "severity"),
    [
        ("gender,count\nF,30\nM,0", "count.zero", "review"),
        ("gender,count\nF,30\nM,<5", "count.masked-narrowly", "fail"),
        ("gender,count\nF,30\nM,1-4", "count.masked-narrowly", "fail"),
        ("gender,count\nF,30\nM,\u22644", "count.masked-narrowly", "fail"),
        ("region,x,y,Total\nNorth,30,<10,35\nSouth,20,20,40", "count.recoverable", "fail"),
        ("gender,count\nF,30\nM,<10\nTotal,34", "count.recoverable", "fail"),
        ("gender,weighted n\nF,30.2\nM,55.1", "count.fraction", "review"),
        ("gender,something\nF,30\nM,4", "count.perhaps", "review"),
        ("F,3\nM,40", "count.perhaps", "review"),
        ("gender,mean,sd,n\nF,5.2,1.1,4\nM,5.6,1.2,800", "statistic.small-n", "fail"),
        ("gender,mean,sd\nF,5.2,1.1\nM,5.6,1.2", "statistic.no-n", "review"),
        ("lea,score\n1,5.2\n2,6.1", "statistic.no-n", "review"),
        ("gender,mean,max,n\nF,5.2,10,400\nM,5.6,10,800", "statistic.extreme", "review"),
        (",score,age\ncount,8,8\nmean,5.1,18.2\nstd,1.1,0.4", "statistic.small-n", "fail"),
        (",score,age\ncount,80,80\nmean,5.1,18.2\nmin,0,18", "statistic.extreme", "review"),
        ("gender,n,percent passed\nF,100,4\nM,800,48.3", "percent.small", "fail"),
        ("gender,n,percent passed\nF,100,97\nM,800,48.3", "percent.small", "fail"),
        ("gender,n,proportion passed\nF,100,0.04\nM,800,0.483", "percent.small", "fail"),
        ("gender,n,passed\nF,100,4%\nM,800,48%", "percent.small", "fail"),
        ("gender,n,percent passed\nF,1000,1\nM,800,48.3", "percent.perhaps", "review"),
        ("gender,n,percent passed\nF,100,100\nM,800,48.3", "percent.extreme", "review"),
        (",F,M\nN,50,60\npassed,8%,50%\nfailed,92%,50%", "percent.small", "fail"),
        ('"Pupils, N = 350"\n\ngroup,share\nA,2%\nB,48%\nC,50%', "percent.small", "fail"),
        ("label,comment\nF,based on n=4\nM,fine", "text.small-n", "fail"),
        ("label,comment\nF,=cmd()\nM,fine", "text.formula", "review"),
        ("label,comment\nF,a\u200bb\nM,fine", "text.hidden-characters", "review"),
        ("postcode,n\nWC1E 6BT,50\nNW1 2DB,60", "records.identifier", "fail"),
        ("nino,score\nAB123456C,5", "records.identifier", "fail"),
        ("upn,score\nA801200001001,5", "records.identifier", "fail"),
        ("number,score\n943 476 5919,5.5\n401 023 2137,6.1\n987 654 4322,2.2", "records.identifier", "fail"),
        ("pupil_id,gcse\n1,5.5\n2,6.5\n3,1.5\n4,7.1\n5,6.6\n6,4.4", "records.identifier", "fail"),
        ("dob,gcse\n1979-01-02,5.5\n1979-01-03,6.5", "records.identifier", "fail"),
    ],
)
def test_rule(text: str, rule: str, severity: str) -> None:
    found = [item for item in findings("t.csv", text + "\n") if item.rule == rule]
    assert found, rules("t.csv", text)
    assert found[0].severity == severity


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("gender,n,percent passed\nF,100,14\nM,800,48.3", "percent.small"),
        ("gender,n,percent\nF,30,30\nM,70,70", "percent.small"),
        ("gender,passed,n,percent passed\nF,40,400,10\nM,80,800,10", "percent.small"),
        ("region,x,y,Total\nNorth,30,<10,45\nSouth,20,20,40", "count.recoverable"),
        ("lea,mean,n\n" + "".join(f"{lea},5.{lea % 10},{lea}\n" for lea in range(201, 301)), "records.rows"),
        ("label,comment\nF,-3.2\nM,+4", "text.formula"),
        ("label,comment\nF,based on n = 40", "text.small-n"),
        ("urn,mean,n\n1,2.5,50\n2,2.6,50\n3,2.7,50\n4,2.8,50\n5,2.9,60", "records.identifier"),
    ],
)
def test_rule_stays_silent(text: str, rule: str) -> None:
    assert rule not in rules("t.csv", text + "\n")


def test_records_of_single_pupils() -> None:
    lines = ["lea,school,score,gender,age,gcsescore"]
    lines += [
        f"{number % 7},{number % 5},{number % 6 * 2},{'FM'[number % 2]},{number % 12 - 6},{4 + number % 31 / 10}"
        for number in range(60)
    ]
    assert "records.rows" in rules("t.csv", "\n".join(lines))
    assert verdict("t.csv", "\n".join(lines)) == "fail"


def test_words_never_hold_a_value() -> None:
    text = "lea,gender,n\nZanzibar,Xylo,3\n"
    for item in findings("t.csv", text):
        assert not {"Zanzibar", "Xylo", "gender", "lea"} & set(f"{item.words} {item.mend}".split())


def test_places_count_from_one_and_blank_lines() -> None:
    assert places("t.csv", "title\n\n,F,M\na,30,40\nb,50,3\n", "count.small") == {(5, 3)}


def test_a_real_shape_of_many_small_cells() -> None:
    body = "".join(
        f"{lea},{score},{3 if (lea + score) % 5 == 0 else 40}\n" for lea in range(1, 40) for score in (0, 2, 4)
    )
    found = places("t.csv", "lea,score,n\n" + body, "count.small")
    assert len(found) == sum((lea + score) % 5 == 0 for lea in range(1, 40) for score in (0, 2, 4))
    assert {column for _, column in found} == {3}


def test_a_flood_of_light_findings_does_not_hide_a_heavy_one() -> None:
    text = "group,count\n" + "".join(f"g{number},0\n" for number in range(400)) + "last,3\n"
    assert verdict("t.csv", text) == "fail"
    assert {"count.small", "file.more"} <= rules("t.csv", text)
    assert len(findings("t.csv", text)) <= 201


def test_table_text_helper() -> None:
    assert table(" a,b \n 1,2 ") == "a,b\n1,2\n"
