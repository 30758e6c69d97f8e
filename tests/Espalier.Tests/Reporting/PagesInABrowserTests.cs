using System.Globalization;
using System.Text.Json.Nodes;
using Espalier.Experiments;
using Espalier.Reporting;
using Espalier.Tests.Data;
using Espalier.Tests.Experiments;

namespace Espalier.Tests.Reporting;

/// <summary>
/// The pages in a real browser: no script fails, and nothing is cut off, on screens of three widths, light and dark, and on paper.
/// With ESPALIER_SCREENSHOTS set to a folder, their pictures are kept there.
/// </summary>
[Trait("Kind", "Process")]
public sealed class PagesInABrowserTests : IDisposable
{
    /// <summary>What sticks out: of the page, or, of a picture's texts, out of their picture. Tables and code may scroll, but not on paper.</summary>
    private const string Overflowing = """
        (() => {
          const width = document.documentElement.clientWidth, paper = matchMedia("print").matches, wrong = [];
          if (document.documentElement.scrollWidth > width) { wrong.push("the page is " + document.documentElement.scrollWidth + " wide"); }
          const shown = element => element.getClientRects().length > 0 && element.getBoundingClientRect().width > 0;
          const say = element => element.tagName + "." + element.getAttribute("class") + " " + element.textContent.slice(0, 40);
          for (const element of document.body.querySelectorAll("*")) {
            const scrolls = element.parentElement.closest(paper ? "svg" : "svg,.scroll,pre"), box = element.getBoundingClientRect();
            if (!scrolls && shown(element) && (box.right > width + 1 || box.left < -1)) { wrong.push(say(element)); }
          }
          for (const text of document.querySelectorAll("svg text")) {
            const box = text.getBoundingClientRect(), picture = text.closest("svg.chart").getBoundingClientRect();
            if (shown(text) && (box.left < picture.left - 1 || box.right > picture.right + 1 || box.top < picture.top - 1 || box.bottom > picture.bottom + 1)) {
              wrong.push("cut: " + say(text));
            }
          }
          return wrong;
        })()
        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [BrowserFact]
    public async Task NothingFailsAndNothingIsCutOff()
    {
        string[] pages = [Compare(), SeveralBudgets(), ManyArms()];
        List<string> wrong = [];
        await using Browser browser = await Browser.Start();
        foreach (string page in pages)
        {
            foreach ((int width, bool dark, bool print) in new[]
            {
                (400, false, false), (800, false, false), (1400, false, false),
                (400, true, false), (800, true, false), (1400, true, false), (700, false, true), (700, true, true),
            })
            {
                string what = string.Create(
                    CultureInfo.InvariantCulture, $"{Path.GetFileNameWithoutExtension(page)}-{width}-{(print ? "print" : "screen")}-{(dark ? "dark" : "light")}");
                await browser.Open(page, width, dark, print);
                if (Environment.GetEnvironmentVariable("ESPALIER_SCREENSHOTS") is string folder)
                {
                    Directory.CreateDirectory(folder);
                    await browser.Photograph(Path.Combine(folder, what + ".png"));
                }

                wrong.AddRange((await browser.Evaluate(Overflowing))!.AsArray().Select(element => $"{what}: {element}"));

                // Paper has a white background, whatever the reader's system.
                string background = (string)(await browser.Evaluate("getComputedStyle(document.body).backgroundColor"))!;
                Assert.Equal(dark && !print, background != "rgb(255, 255, 255)");
            }

            await ShowsValuesAtThePointer(browser, page);
        }

        Assert.Empty(wrong);
        Assert.Empty(browser.Errors);
    }

    private static async Task ShowsValuesAtThePointer(Browser browser, string page)
    {
        await browser.Open(page, 400, dark: false, print: false);
        JsonNode place = (await browser.Evaluate("""
            (() => {
              const picture = [...document.querySelectorAll("svg.chart[data-x]")].find(svg => svg.getBoundingClientRect().width > 0);
              picture.scrollIntoView();
              const box = picture.getBoundingClientRect();
              return { x: box.left + box.width * 0.8, y: box.top + box.height / 2 };
            })()
            """))!;
        await browser.MovePointer((double)place["x"]!, (double)place["y"]!);
        JsonNode tip = (await browser.Evaluate("""
            (() => {
              const tip = document.getElementById("tip"), box = tip.getBoundingClientRect();
              return { hidden: tip.hidden, text: tip.textContent, left: box.left, right: box.right };
            })()
            """))!;
        Assert.False((bool)tip["hidden"]!);
        Assert.Matches(@"\d", (string)tip["text"]!);
        Assert.InRange((double)tip["left"]!, 0, 400);
        Assert.InRange((double)tip["right"]!, 0, 400);
    }

    private string Compare()
    {
        RunMetrics scratch = SyntheticRun.Write(_folder.File("scratch"), "scratch", 1000, step => 5 - (step / 1000), recipe: $"note: {new string('x', 300)}\n");
        string file = _folder.File("compare.html");
        HtmlReport.Write(file, RunComparison.Of(scratch,
        [
            .. Enumerable.Range(1, 9).Select(i => SyntheticRun.Write(
                _folder.File($"grown-{i}"), i == 1 ? "a run that somebody has given a very long name" : $"grown {i}", 1000,
                step => 5 - (step * (1 + (i / 5.0)) / 1000), 1 + (i / 10.0))),
        ]));
        return file;
    }

    private string SeveralBudgets() => Page("several-budgets", "[3e7, 6e7, 1.2e8]", "target: 4 layers", """
        arms:
          1 layer: {model.n_layer: 1}
          2 layers: {model.n_layer: 2}
          4 layers: {}
          grown: {method: {name: progressive, stages: [1, 4], boundaries: [25 %]}}
          another one: {method: {name: progressive, stages: [1, 4], boundaries: [50 %]}}
        """);

    private string ManyArms() => Page("many-arms", "[3e7]", "", "arms:\n" + string.Concat(
        Enumerable.Range(1, 5).Select(i => $"  fixed number {i}: {{model.n_layer: {i}}}\n")
            .Concat(Enumerable.Range(1, 24).Select(i =>
                $"  grown as {i}: {{method: {{name: progressive, stages: [1, 4], boundaries: [{20 + i} %]}}}}\n"))));

    private string Page(string name, string budgets, string more, string arms)
    {
        string pool = _folder.File(name + "-runs");
        var grid = new ExperimentGrid(ExperimentFile.Read(TinyExperiment.Write(_folder, arms, more, budgets)));
        foreach ((GridArm arm, double budget) in grid.Cells())
        {
            foreach ((double rate, ulong seed) in arm.LearningRates.SelectMany(_ => grid.Config.Seeds, (rate, seed) => (rate, seed)))
            {
                int number = grid.Arms.ToList().IndexOf(arm);
                double end = 1.5 + (0.7 * Math.Pow(budget / 3e7, -0.4)) + (0.03 * Math.Sin(5 * number)) + (0.001 * seed * (number % 4)) + rate;
                MadeUpRun.Write(grid.Run(arm, budget, rate, seed), pool, "20", [.. new[] { 0.25, 0.5, 0.75, 1 }.Select(part => (
                    (end + (0.8 * (1 - part))).ToString(CultureInfo.InvariantCulture),
                    string.Create(CultureInfo.InvariantCulture, $"{0.7 * part * budget},{0.1 * part * budget},{0.199 * part * budget}")))]);
            }
        }

        ExperimentPage.Write(_folder.File(name), new ExperimentResult(grid, new ExperimentRunner(grid, pool)));
        File.Move(_folder.File($"{name}/{ExperimentPage.FileName}"), _folder.File(name + ".html"));
        return _folder.File(name + ".html");
    }

    private sealed class BrowserFactAttribute : FactAttribute
    {
        public BrowserFactAttribute()
        {
            if (Browser.Program is null)
            {
                Skip = "There is no chromium on the PATH.";
            }
        }
    }
}
