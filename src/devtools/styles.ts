/** The looks. One sheet for all elements, adopted, so that a Content-Security-Policy needs no 'unsafe-inline'. */

/** Colours differ in lightness too, and each kind of bar in shape or pattern: none is told apart by its hue alone. */
export const CSS: string = `
:host{display:block;height:360px;min-height:0;contain:layout style}
:host([hidden]){display:none}
:host(:not([open])){height:auto}
:host([docked]){position:fixed;inset:auto 0 0;z-index:2147483000;height:min(360px,60vh)}
:host([docked]:not([open])){inset:auto auto 8px 8px;height:auto;border-radius:6px;overflow:hidden}
*{box-sizing:border-box}
[hidden]{display:none!important}
.panel{--bg:light-dark(#fff,#14171b);--bar:light-dark(#f6f7f9,#1b1f25);--fg:light-dark(#1c2128,#e3e7ec);--dim:light-dark(#59626e,#9aa5b1);
--line:light-dark(#dde1e6,#2c323a);--hover:light-dark(#f1f4f8,#1f242b);--pick:light-dark(#dceafd,#1c3554);--focus:light-dark(#1a66d0,#6cb0ff);
--on:light-dark(#fff,#0c1116);--shade:light-dark(#0004,#fff5);--sent:light-dark(#2f6db8,#6ba9ee);--rejected:light-dark(#b4470d,#f0985a);--replay:light-dark(#187a57,#4fc596);
--refresh:light-dark(#7148b8,#b79af2);--denied:light-dark(#775600,#e2b53f);--login:light-dark(#a82c78,#ee8bc2);--failed:light-dark(#c3243a,#ff7d84);
--cols:58px minmax(96px,220px) minmax(72px,104px) 68px minmax(0,1fr);
display:flex;flex-direction:column;height:100%;background:var(--bg);color:var(--fg);border:1px solid var(--line);
font:12px/1.4 ui-sans-serif,system-ui,sans-serif;font-variant-numeric:tabular-nums;container-type:inline-size;text-align:start}
.auto{color-scheme:light dark}
.panel:not([data-open]){container-type:normal}
.panel:not([data-open]) :is(.legend,.body,.counts,.tab,.timer,.subject,input,.top>button:not(.opener)){display:none}
.dim,.empty,dt,th,caption,.head,.columns,.time{color:var(--dim)}
.top,.legend{display:flex;align-items:center;gap:4px 10px;padding:4px 8px;background:var(--bar);flex-wrap:wrap}
.panel[data-open] .top,.legend{border-bottom:1px solid var(--line)}
.counts{margin-inline-start:auto}
button,input{font:inherit;color:inherit;background:none;border:1px solid var(--line);border-radius:4px;padding:1px 8px;min-height:24px}
button{cursor:pointer}
button:hover{background:var(--hover)}
input{width:130px;background:var(--bg)}
input::placeholder{color:var(--dim);opacity:1}
:focus-visible{outline:2px solid var(--focus);outline-offset:-1px}
.opener{border:0;font-weight:600;padding-inline:4px}
.opener i{display:inline-block;border:4px solid transparent;border-inline-start-color:currentColor;border-inline-end:0;margin-inline-end:6px}
[data-open] .opener i{transform:rotate(90deg)}
.state{display:flex;align-items:center;gap:4px 10px;flex-wrap:wrap}
.badge{display:flex;align-items:center;gap:6px}
.badge i{width:9px;height:9px;border:2px solid var(--dim);border-radius:50%}
[data-status=signed-in] i{background:var(--replay);border-color:var(--replay)}
[data-status=refreshing] i{border-color:var(--refresh);border-inline-end-color:transparent}
[data-status=login-required] i{background:var(--login);border-color:var(--login);border-radius:0;transform:rotate(45deg)}
[data-is=over]{color:var(--rejected);font-weight:600}
.legend{gap:2px;padding-inline:3px}
.legend button{border-color:transparent;display:flex;align-items:center;gap:6px;padding-inline:6px}
.legend [aria-pressed=true]{background:var(--pick);border-color:var(--focus)}
.legend .event{margin:0 3px}
.legend i{position:static!important;flex:none;width:16px!important;height:10px!important}
.body{flex:1;min-height:0;display:flex;position:relative}
.list{flex:1;min-width:0;overflow:auto;overscroll-behavior:contain;scrollbar-width:thin}
.row{display:grid;grid-template-columns:var(--cols);align-items:center;position:relative;height:22px;padding-inline:8px}
.row>span{overflow:hidden;text-overflow:ellipsis;white-space:nowrap;padding-inline-end:8px}
.columns{position:sticky;top:0;z-index:2;background:var(--bg);border-bottom:1px solid var(--line)}
.columns :nth-child(4),.time{text-align:end}
.burst{position:relative;border-bottom:1px solid var(--line)}
.head .title{grid-column:1/5}
.head .axis,.lane{position:relative;overflow:visible;height:100%;grid-column:5;padding:0!important}
.under{position:absolute;inset:0;display:grid;grid-template-columns:var(--cols);padding-inline:8px;pointer-events:none}
.under i,.axis i{position:absolute;font-style:normal}
.grid{width:1px;top:22px;bottom:0;background:var(--line)}
.band{top:22px;bottom:0;background:color-mix(in srgb,var(--refresh) 14%,transparent)}
.lane .cut{top:22px;bottom:0;background:repeating-linear-gradient(90deg,transparent 0 3px,var(--line) 3px 4px)}
.tick{line-height:22px;padding-inline-start:3px;border-inline-start:1px solid var(--line);white-space:nowrap}
.axis .cut{font-style:italic;line-height:22px;text-align:center;background:var(--bg);white-space:nowrap;overflow:hidden}
.row[aria-level]{cursor:default}
.row[aria-level]:hover{background:color-mix(in srgb,var(--fg) 5%,transparent)}
.row[aria-selected=true]{background:color-mix(in srgb,var(--focus) 18%,transparent)}
.method{color:var(--dim)}
[aria-level="2"] .name{padding-inline-start:14px}
.name::before{display:inline-block}
[aria-expanded] .name::before{content:"";border:4px solid transparent;border-inline-start-color:currentColor;border-inline-end:0;margin-inline-end:6px}
[aria-expanded=true] .name::before{transform:rotate(90deg)}
.refresh .name,.event .name{font-style:italic}
.bad .outcome{color:var(--failed);font-weight:600}
.denied .outcome{color:var(--denied);font-weight:600}
.recovered .outcome{color:var(--replay)}
.open .outcome{color:var(--dim)}
.bars{position:relative;height:100%;overflow:visible!important;padding:0!important}
.bar{position:absolute;top:4px;height:14px;min-width:2px;display:flex;flex-wrap:wrap;overflow:hidden;color:var(--on);background:var(--c);border-radius:2px;font-style:normal}
.bar::before{content:"";width:3px;height:100%;background:var(--c)}
.bar b{font:10px/14px ui-sans-serif,system-ui,sans-serif;font-variant-numeric:tabular-nums;height:14px;flex:none;background:var(--c);padding-inline-end:3px}
.bar.sent{--c:var(--sent)}
.bar.rejected{--c:var(--rejected);clip-path:polygon(0 0,100% 0,calc(100% - min(5px,50%)) 50%,100% 100%,0 100%)}
.bar.replay{--c:var(--replay);clip-path:polygon(0 0,calc(100% - min(5px,50%)) 0,100% 50%,calc(100% - min(5px,50%)) 100%,0 100%)}
.bar.refresh{--c:var(--refresh);border-radius:7px}
.bar.denied{--c:var(--denied);border-inline-end:3px double var(--bg)}
.bar.failed{--c:var(--failed);background-image:repeating-linear-gradient(45deg,var(--shade) 0 2px,transparent 2px 6px)}
.bar:is(.waits,.lock,.permission,.login,.step-up){color:var(--fg);--c:color-mix(in srgb,var(--p) 12%,var(--bg));background:var(--h),var(--c);border:1px solid var(--p)}
.bar:is(.waits,.lock,.permission,.login,.step-up) b{line-height:12px}
.bar{--s:color-mix(in srgb,var(--p) 30%,transparent)}
.bar.waits{--p:var(--refresh);--h:repeating-linear-gradient(135deg,var(--s) 0 1px,transparent 1px 5px)}
.bar.lock{--p:var(--dim);--h:none;border-style:dashed!important}
.bar.permission{--p:var(--denied);--h:repeating-linear-gradient(90deg,var(--s) 0 1px,transparent 1px 5px)}
.bar:is(.login,.step-up){--p:var(--login);--h:radial-gradient(var(--s) 1px,transparent 1.3px) 0 0/5px 5px}
.bar.event{width:9px!important;height:9px!important;min-width:0;top:7px;margin-inline-start:-4px;background:var(--fg);transform:rotate(45deg);border-radius:0}
.bar.lane{height:2px!important;min-height:0;border:0!important;clip-path:none;border-radius:0;background:var(--p,var(--c))!important}
.detail{flex:0 0 344px;overflow:auto;border-inline-start:1px solid var(--line);padding:8px 12px;background:var(--bg);overscroll-behavior:contain}
.detail h2{font-size:13px;margin:0 28px 8px 0;overflow-wrap:anywhere}
.close{float:inline-end;border:0;padding:0;width:24px}
dl{display:grid;grid-template-columns:auto 1fr;gap:2px 12px;margin:0 0 12px}
dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
caption{text-align:start;position:absolute;clip-path:inset(50%)}
th{font-weight:400}
th,td{text-align:start;padding:2px 8px 2px 0;border-bottom:1px solid var(--line);vertical-align:top;white-space:nowrap}
:is(th,td):last-child{text-align:end;padding:2px 0}
td:nth-child(2){width:100%;white-space:normal}
.empty{position:absolute;inset:40px 0 auto;text-align:center;margin:0;pointer-events:none}
.unseen{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden;margin:0}
@container (max-width:640px){
.counts{display:none}
.tab{margin-inline-start:auto}
input{flex:1}
.legend{flex-wrap:nowrap;overflow-x:auto;scrollbar-width:none}
.legend button{flex:none}
.body{flex-direction:column}
.detail{flex:0 0 55%;border:0;border-top:1px solid var(--line)}
.columns{display:none}
.row[aria-level]{grid-template-columns:auto minmax(0,1fr) auto 64px;height:41px;padding-bottom:3px;grid-template-rows:20px 18px}
.row .bars{grid-column:1/-1;height:18px}
.bar{top:2px}
.head{grid-template-columns:1fr;height:38px;grid-template-rows:20px 18px}
.head :is(.title,.axis){grid-column:1}
.under{display:none}
.axis>i{line-height:18px}
}
@media (forced-colors:active){.bar,.badge i{forced-color-adjust:none}}
`
