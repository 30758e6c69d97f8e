using System.Globalization;
using System.Xml.Linq;
using Espalier.Experiments;
using Espalier.Tests.Data;
using Espalier.Tests.Training;

namespace Espalier.Tests.Experiments;

/// <summary>Every figure, of runs that are as small as can be: what must hold of its numbers whatever was trained.</summary>
public sealed class PaperFiguresTests : IDisposable
{
    private static readonly string[] Small =
    [
        $"data.path={TinyRun.Data.Folder}", "model.n_embd=16", "model.n_head=2", "model.n_positions=16", "training.micro_batch=2",
        "training.length=60 steps", "training.precision=f32", "evaluation.tokens=200", "checkpoint.every=10 steps",
    ];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void EveryFigureHasItsPicturesAndNumbers()
    {
        foreach ((string name, string shows) in PaperFigures.All)
        {
            Assert.NotEmpty(shows);
            IReadOnlyList<string> files = PaperFigures.Draw(name, _folder.File("figures"), Small)!;
            Assert.True(files.Count >= 2, name);
            foreach (string file in files)
            {
                Assert.Equal("svg", XDocument.Load(file).Root!.Name.LocalName);
                Assert.All(Numbers(file), row => Assert.True(double.IsFinite(row.X) && double.IsFinite(row.Y), $"{file}: {row}"));
            }
        }

        (string Line, double X, double Y)[] norms = Numbers("expansion-gradient"), losses = Numbers("expansion-loss");
        Assert.Equal(["interpolate", "stack"], norms.Select(row => row.Line).Distinct().Order());

        // Until the expansion both are one run, and after it they are not.
        Assert.All(Pairs(losses).Where(pair => pair.Stack.X <= 0), pair => Assert.Equal(pair.Stack.Y, pair.Interpolated.Y));
        Assert.Contains(Pairs(losses), pair => pair.Stack.X > 0 && pair.Stack.Y != pair.Interpolated.Y);

        (string Line, double X, double Y)[] distribution = Numbers("activations-distribution");
        foreach (var line in distribution.GroupBy(row => row.Line))
        {
            double width = line.ElementAt(1).X - line.First().X;
            Assert.InRange(line.Sum(row => row.Y * width), 0.98, 1);
        }

        Assert.Equal([6, 12, 12], Numbers("activations-deviation").GroupBy(row => row.Line).Select(line => line.Count()));
        (string Line, double X, double Y)[] cosines = Numbers("copies-cosine");
        Assert.Equal(4, cosines.Select(row => row.Line).Distinct().Count());
        Assert.All(cosines, row => Assert.InRange(row.Y, 0, 1));
        Assert.All(cosines.GroupBy(row => row.Line), line => Assert.True(line.Last().Y < 1 && line.First().Y == 1));
        Assert.All(Numbers("copies-gradient").GroupBy(row => row.Line), line => Assert.Equal(1, line.Sum(row => row.Y), 9));
        Assert.All(Numbers("copies-rank"), row => Assert.InRange(row.Y, 0.1, 1));

        // Between six checkpoints lie five stretches, and in one of them the expansion.
        (string Line, double X, double Y)[] updates = Numbers("copies-update-rank");
        Assert.Equal([5, 4, 4], updates.GroupBy(row => row.Line).Select(line => line.Count()));
        Assert.All(updates, row => Assert.InRange(row.Y, 0.1, 1));

        // Both are one model until the expansion, and at it they are not.
        ILookup<string, (string Line, double X, double Y)> sharpness = Numbers("sharpness-expansion").ToLookup(row => row.Line);
        Assert.Equal(2, sharpness.Count);
        (double before, double after)[] hops = [.. sharpness.Select(line => line.Where(row => row.X == 0).ToArray()).Select(at => (at[0].Y, at[1].Y))];
        Assert.Equal(hops[0].before, hops[1].before);
        Assert.NotEqual(hops[0].after, hops[1].after);
        Assert.All(sharpness.SelectMany(line => line), row => Assert.True(row.Y > 0));
        Assert.All(Numbers("mixing-updates"), row => Assert.InRange(row.Y, 1, 60));
    }

    [Fact]
    public void AFigureThatIsNotThereIsSaid()
    {
        var error = Assert.Throws<UserErrorException>(() => PaperFigures.Draw("expansions", _folder.File("figures"), Small));
        Assert.Contains("expansion", error.Hint, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder.File("figures")));
    }

    [Fact]
    public void StoppedItGoesOn()
    {
        using var stop = new CancellationTokenSource();
        Assert.Null(PaperFigures.Draw("expansion", _folder.File("figures"), Small, (_, made) =>
        {
            if (made.Step == 20)
            {
                stop.Cancel();
            }
        }, null, stop.Token));
        Assert.Empty(Directory.GetFiles(_folder.File("figures"), "*.svg"));
        Assert.Equal(2, PaperFigures.Draw("expansion", _folder.File("figures"), Small)!.Count);
    }

    private IEnumerable<((double X, double Y) Stack, (double X, double Y) Interpolated)> Pairs((string Line, double X, double Y)[] rows) =>
        rows.Where(row => row.Line == "stack").Zip(rows.Where(row => row.Line == "interpolate"), (a, b) => ((a.X, a.Y), (b.X, b.Y)));

    private (string Line, double X, double Y)[] Numbers(string picture) =>
    [
        .. File.ReadLines(Path.ChangeExtension(Path.Combine(_folder.File("figures"), picture), "csv")).Skip(1).Select(line =>
        {
            int y = line.LastIndexOf(','), x = line.LastIndexOf(',', y - 1);
            return (line[..x].Trim('"'), double.Parse(line[(x + 1)..y], CultureInfo.InvariantCulture), double.Parse(line[(y + 1)..], CultureInfo.InvariantCulture));
        }),
    ];
}
