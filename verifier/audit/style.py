"""The looks of an audit as HTML: light, dark, and A4 (contrast at least 7 to 1 for all text)."""

from __future__ import annotations

STYLE = """\
:root{color-scheme:light dark;--paper:#fff;--ink:#1a1a1a;--soft:#454545;--line:#b8b8b8;
--tint:#f2f2f2;--good:#0b4f22;--goodtint:#e0f2e5;--bad:#7d0c14;--badtint:#fbe3e4;
--unsure:#5b3d00;--unsuretint:#fcefd2;--link:#003c8f}
@media (prefers-color-scheme:dark){:root{--paper:#141414;--ink:#ececec;--soft:#c4c4c4;
--line:#5a5a5a;--tint:#242424;--good:#a5e6b8;--goodtint:#10301b;--bad:#ffb9bc;--badtint:#42161a;
--unsure:#ffd98a;--unsuretint:#382a08;--link:#a9ccff}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:90rem;background:var(--paper);color:var(--ink);
font:16px/1.45 system-ui,"Liberation Sans",Arial,sans-serif}
h1{font-size:1.6rem;margin:.2rem 0}
h2{font-size:1.15rem;margin:1.6rem 0 .4rem}
a{color:var(--link)}
.verdict{font-size:1.15rem;font-weight:700;padding:.6rem .8rem;border-left:.4rem solid;
margin:.6rem 0;overflow-wrap:anywhere}
.good{color:var(--good);background:var(--goodtint);font-weight:700}
.bad{color:var(--bad);background:var(--badtint);font-weight:700}
.unsure{color:var(--unsure);background:var(--unsuretint);font-weight:700}
dl{margin:.6rem 0}
.counts{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:.5rem}
.counts div{background:var(--tint);padding:.5rem .7rem}
.counts dt{color:var(--soft);font-size:.85rem}
.counts dd{margin:0;font-weight:700}
.facts div{display:flex;gap:.8rem}
.facts dt{flex:0 0 8rem;color:var(--soft)}
.facts dd{margin:0;overflow-wrap:anywhere}
nav ul{padding:0;margin:0;list-style:none;display:flex;flex-wrap:wrap;gap:.3rem 1.2rem}
table{border-collapse:collapse;width:100%;font-size:.86rem}
caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
th,td{border:1px solid var(--line);padding:.25rem .45rem;text-align:left;vertical-align:top;
overflow-wrap:anywhere;min-width:3.5rem;unicode-bidi:isolate}
th{background:var(--tint);overflow-wrap:break-word;min-width:0}
footer{margin-top:2rem;border-top:2px solid var(--line)}
.sign div{display:flex;gap:.8rem;margin:.9rem 0}
.sign dt{flex:0 0 8rem}
.sign dd{margin:0;flex:1;max-width:30rem;min-height:1.5rem;border-bottom:1px solid var(--soft)}
@media screen and (min-width:48rem){td:nth-child(2){min-width:6.2rem}}
@media (max-width:48rem){body{padding:.5rem}table{font-size:.7rem}
th,td{min-width:0;padding:.15rem .2rem;overflow-wrap:anywhere}.facts div{display:block}}
@page{size:A4;margin:14mm}
@media print{:root{--paper:#fff;--ink:#000;--soft:#333;--line:#999;--tint:#eee;--good:#0b4f22;
--goodtint:#fff;--bad:#7d0c14;--badtint:#fff;--unsure:#5b3d00;--unsuretint:#fff;--link:#000}
body{font-size:9.5pt;max-width:none;padding:0}nav{display:none}table{font-size:7.5pt}
th,td{min-width:0;padding:.12rem .25rem;overflow-wrap:anywhere}thead{display:table-header-group}
tr{break-inside:avoid}h2{break-after:avoid}footer{break-inside:avoid}}
"""
