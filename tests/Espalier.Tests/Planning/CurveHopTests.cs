using Espalier.Planning;
using Espalier.Reporting;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Planning;

public class CurveHopTests
{
    /// <summary>The figures that the authors' own logs give (arXiv 2203.06211, released notebook).</summary>
    [Theory]
    [InlineData("base-half-depth", "base", GrowthKind.Depth, 2949, 2149, 5099, 0.132)]
    [InlineData("large-half-depth", "large", GrowthKind.Depth, 6799, 4549, 7749, 0.148)]
    [InlineData("base-half-width", "base", GrowthKind.Width, 3799, 2049, 5099, 0.216)]
    [InlineData("large-half-width", "large", GrowthKind.Width, 6299, 3549, 7749, 0.255)]
    public void TheAuthorsLogsGiveTheirFigures(
        string small, string large, GrowthKind kind, int leave, int enter, int stop, double saving)
    {
        // Halving the depth halves the parameters of the layers, halving the width quarters them.
        TrainingCurve whole = StagedTrainingLogs.Curve(large);
        var hop = CurveHop.Of(
            StagedTrainingLogs.Curve(small, kind == GrowthKind.Depth ? 0.5 : 0.25), whole, GrowthRule.Of(kind).Slope,
            CurveHop.Flat(whole, GrowthRule.StopSlope, "--stop"));
        Assert.Equal((leave, enter, stop), (hop.Leave.Step, hop.Enter.Step, hop.Stop.Step));
        Assert.Equal(saving, hop.Saving, 5e-4);
        Assert.Equal((double)leave / enter, hop.Ratio);
    }

    /// <summary>On loss = c S^-p the slope is -p everywhere: flatter than anything steeper, and nowhere flatter than itself.</summary>
    [Fact]
    public void APowerLawHasOneSlope() => Prop.ForAll(
        ArbMap.Default.ArbFor<PositiveInt>(),
        tenths =>
        {
            double power = 0.05 + (tenths.Get % 50 / 100.0);
            TrainingCurve curve = Power(power);
            Assert.All(curve.Slopes()[2..^2], slope => Assert.Equal(-power, slope, 2e-3));
            Assert.NotNull(curve.FirstFlatterThan(-power - 0.01));
            Assert.Null(curve.FirstFlatterThan(-power + 0.01));
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void SpikesAreLeftOut()
    {
        var curve = new TrainingCurve("x", [new(1, 4, 1), new(2, 3.5, 2), new(3, 9, 3), new(4, 3.51, 4), new(5, 3, 5)]);
        Assert.Equal([1.0, 2, 4, 5], curve.Points.Select(point => point.Step));
    }

    [Fact]
    public void CurvesThatDoNotGetThereAreNamed()
    {
        var never = Assert.Throws<UserErrorException>(() => CurveHop.Of(Power(0.3), Power(0.2), -0.0575, default));
        Assert.Contains("never becomes flatter than -0.0575", never.Message, StringComparison.Ordinal);
        Assert.Contains("--threshold", never.Hint, StringComparison.Ordinal);

        TrainingCurve high = new("high", Power(0.03).Points.Select(point => point with { Loss = point.Loss + 50 }));
        var apart = Assert.Throws<UserErrorException>(() => CurveHop.Of(Power(0.05), high, -0.06, default));
        Assert.Contains("do not cross", apart.Message, StringComparison.Ordinal);
        Assert.NotNull(apart.Hint);
    }

    private static TrainingCurve Power(double power) => new(
        "power", Enumerable.Range(60, 400).Select(i => new CurvePoint(i * 10, 8 * Math.Pow(i * 10, -power), i * 10)));
}
