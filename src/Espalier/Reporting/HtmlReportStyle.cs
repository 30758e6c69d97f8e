namespace Espalier.Reporting;

/// <summary>The style and the script of the HTML report.</summary>
internal static class HtmlReportStyle
{
    /// <summary>Light by default, dark where the reader's system is dark.</summary>
    public static string Css => Layout + Colors(ChartPalette.Light)
        + "@media screen and (prefers-color-scheme:dark){\n" + Colors(ChartPalette.Dark) + "}\n";

    /// <summary>
    /// Shows the values of all lines at the pointer. It reads them back from the drawing: a line's path, and the scale
    /// that each chart states in data-x and data-y (pixels, values, unit, kind).
    /// </summary>
    public const string Script = """
        (function () {
          "use strict";
          var tip = document.getElementById("tip");
          function scale(text) {
            var p = text.split(" "), n = p.slice(0, 5).map(Number);
            return function (pixel) {
              var share = (pixel - n[0]) / (n[1] - n[0]);
              return (p[5] === "log" ? n[2] * Math.pow(n[3] / n[2], share) : n[2] + share * (n[3] - n[2])) / n[4];
            };
          }
          document.querySelectorAll("svg.chart[data-x]").forEach(function (svg) {
            var x = scale(svg.dataset.x), y = scale(svg.dataset.y), range = svg.dataset.x.split(" ").map(Number);
            var lines = Array.from(svg.querySelectorAll("path[data-name]")).map(function (path) {
              var points = [], last = [0, 0];
              (path.getAttribute("d").match(/[MLH][^MLH]*/g) || []).forEach(function (part) {
                var n = part.slice(1).trim().split(" ").map(Number);
                last = part[0] === "H" ? [n[0], last[1]] : n;
                points.push(last);
              });
              return { name: path.dataset.name, points: points, color: getComputedStyle(path).stroke };
            });
            var cursor = document.createElementNS("http://www.w3.org/2000/svg", "path");
            cursor.setAttribute("class", "axis");
            svg.appendChild(cursor);
            svg.addEventListener("pointermove", function (event) {
              var at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
              if (at.x < range[0] || at.x > range[1]) { hide(); return; }
              tip.textContent = svg.dataset.label + ": " + Number(x(at.x).toPrecision(4));
              lines.forEach(function (line) {
                var p = line.points, i = p.findIndex(function (q) { return q[0] >= at.x; });
                if (i < 0 || p[0][0] > at.x + 8) { return; }
                var q = p[i], r = p[Math.max(0, i - 1)];
                var value = q[0] > r[0] ? r[1] + (q[1] - r[1]) * (at.x - r[0]) / (q[0] - r[0]) : q[1];
                var row = document.createElement("div"), dot = document.createElement("i");
                dot.className = "swatch";
                dot.style.background = line.color;
                row.append(dot, line.name + " ", Object.assign(document.createElement("b"), { textContent: y(value).toPrecision(4) }));
                tip.append(row);
              });
              var v = svg.dataset.y.split(" ");
              cursor.setAttribute("d", "M" + at.x + " " + v[0] + "V" + v[1]);
              tip.hidden = false;
              tip.style.left = Math.min(event.pageX + 14, scrollX + document.documentElement.clientWidth - tip.offsetWidth - 8) + "px";
              tip.style.top = (event.pageY + 16) + "px";
            });
            function hide() { tip.hidden = true; cursor.removeAttribute("d"); }
            svg.addEventListener("pointerleave", hide);
          });
        })();

        """;

    private const string Layout = """
        *{box-sizing:border-box}
        body{margin:0 auto;max-width:1240px;padding:40px 28px 72px;font:16px/1.55 system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif}
        h1{font-size:15px;font-weight:600;letter-spacing:.01em;margin:0 0 10px}
        h2{font-size:21px;font-weight:650;letter-spacing:-.01em;margin:0 0 4px}
        section{margin-top:52px}
        p{margin:0 0 12px}
        .lead{font-size:25px;line-height:1.36;font-weight:500;letter-spacing:-.012em;max-width:34em;margin:0;text-wrap:pretty}
        .headline{display:flex;flex-wrap:wrap;gap:18px 56px;margin:28px 0 0}
        .headline div{display:flex;flex-direction:column}
        .headline .figure{margin:0;font-size:38px;line-height:1.15;font-weight:650;letter-spacing:-.025em;font-variant-numeric:tabular-nums}
        .headline dt{font-size:14px}
        .warning{max-width:46em;border-left:4px solid;padding-left:12px}
        .caption{font-size:15px}
        .prose{max-width:46em}
        .scroll{overflow-x:auto;margin:14px 0 26px}
        table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums;white-space:nowrap}
        th,td{padding:8px 10px;text-align:right;border-bottom:1px solid}
        th:first-child{text-align:left;padding-left:0}
        td:last-child,thead th:last-child{padding-right:0}
        thead th{font-weight:500;font-size:12.5px}
        tbody th{font-weight:600;white-space:normal;min-width:9em}
        .swatch{display:inline-block;width:10px;height:10px;border-radius:50%;margin-right:8px}
        .charts{display:grid;grid-template-columns:1fr 1fr;gap:28px 36px}
        .charts.small{grid-template-columns:1fr 1fr 1fr;margin-top:18px}
        figure{margin:0;min-width:0}
        figcaption{font-weight:600;font-size:15px;margin-bottom:4px}
        svg.chart{display:block;width:100%;height:auto;touch-action:pan-y}
        svg.narrow,.legend.narrow{display:none}
        .legend{font-size:13px;margin:10px 0 0}
        .legend span{display:inline-block;margin-right:18px}
        .legend .swatch{margin-right:6px}
        details{border-bottom:1px solid;padding:10px 0}
        summary{cursor:pointer;font-weight:600;font-size:15px}
        pre{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-x:auto;padding:14px 16px;border-radius:8px;margin:12px 0 6px}
        mark{font-weight:600;background:none}
        #tip{position:absolute;pointer-events:none;font-size:12.5px;line-height:1.5;padding:7px 11px;border-radius:7px;border:1px solid;white-space:nowrap;font-variant-numeric:tabular-nums;box-shadow:0 3px 14px #0002}
        #tip[hidden]{display:none}
        .charts.whole{grid-template-columns:minmax(0,900px)}
        .lead+.lead{margin-top:10px}
        .lead+.warning,.headline+.warning{margin-top:20px}
        .verdicts{margin:14px 0 0;padding:0 0 0 20px;max-width:52em;font-size:15px}
        .verdicts li{margin:0 0 6px}
        @media print{
        body{max-width:none;padding:0;font-size:12px}
        section{margin-top:26px}
        .lead{font-size:17px}
        .scroll{overflow:visible}
        table{font-size:8.5px;white-space:normal}
        thead th{font-size:8px}
        th,td{padding:3px 4px}
        tbody th{min-width:0}
        pre{white-space:pre-wrap;overflow-wrap:anywhere}
        figure,tr{break-inside:avoid}
        h2{break-after:avoid}
        }
        @media (max-width:1040px){.charts{grid-template-columns:1fr}.charts.small{grid-template-columns:1fr 1fr}}
        @media (max-width:600px){
        body{padding:26px 16px 48px}
        section{margin-top:42px}
        .lead{font-size:20px}
        .headline{gap:14px 32px}
        .headline .figure{font-size:30px}
        .charts.small{grid-template-columns:1fr}
        svg.wide{display:none}
        svg.narrow,.legend.narrow{display:block}
        }

        """;

    private static string Colors(ChartPalette palette) => palette.Css() + $$"""
        body{color:{{palette.Ink}};background:{{palette.Surface}}}
        h1,.headline dt,.caption,.legend,thead th{color:{{palette.Muted}}}
        th,td,details,#tip{border-color:{{palette.Grid}}}
        pre{background:{{palette.Panel}}}
        mark{color:{{palette.Lines[1]}}}
        #tip{background:{{palette.Surface}}}

        """;
}
