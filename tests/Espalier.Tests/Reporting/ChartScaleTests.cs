using Espalier.Reporting;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Reporting;

public class ChartScaleTests
{
    [Theory]
    [InlineData(0, 10, 5, "0 2 4 6 8 10")]
    [InlineData(0, 1, 4, "0.00 0.25 0.50 0.75 1.00")]
    [InlineData(1.38, 2.44, 6, "1.4 1.6 1.8 2.0 2.2 2.4")]
    [InlineData(-0.3, 0.3, 3, "-0.2 0.0 0.2")]
    public void TicksAreRound(double minimum, double maximum, int count, string expected)
    {
        var scale = new ChartScale(new ChartAxis { Label = "" }, [minimum, maximum], 0, 100, count);
        Assert.Equal(expected, string.Join(' ', scale.Ticks.Select(tick => tick.Text)));
    }

    [Fact]
    public void LogarithmicTicksAreDecadesOrTheirParts()
    {
        var wide = new ChartScale(new ChartAxis { Label = "", Log = true }, [1e10, 1e14], 0, 100, 5);
        Assert.Equal(["10¹⁰", "10¹¹", "10¹²", "10¹³", "10¹⁴"], wide.Ticks.Select(tick => tick.Text));
        Assert.Equal(50, wide.Pixel(1e12), 9);
        var close = new ChartScale(new ChartAxis { Label = "", Log = true }, [0, -1, 2, 30], 0, 100, 5);
        Assert.Equal(["2", "5", "10", "20"], close.Ticks.Select(tick => tick.Text));
    }

    [Fact]
    public void LargeAndSmallNumbersMoveTheirPowerIntoTheLabel()
    {
        ChartAxis axis = ChartAxis.PowerOfTen("FLOPs", 2.42e13);
        Assert.Equal(("FLOPs (×10¹³)", 1e13), (axis.Label, axis.Unit));
        Assert.Equal("Rate (×10⁻³)", ChartAxis.PowerOfTen("Rate", 1e-3).Label);
        Assert.Equal(1, ChartAxis.PowerOfTen("Norm", 0).Unit);
        Assert.Equal(60, ChartAxis.Time(600).Unit);
    }

    [Fact]
    public void EveryRangeHasAFewTicksInsideIt() => Check.QuickThrowOnFailure(Prop.ForAll(
        ArbMap.Default.GeneratorFor<NormalFloat>().Two().ToArbitrary(), ends =>
        {
            (double a, double b) = (ends.Item1.Get, ends.Item2.Get);
            if (!(Math.Abs(a) < 1e100 && Math.Abs(b) < 1e100) || (Math.Abs(a - b) < 1e-9 * Math.Abs(a) && a != b))
            {
                return;
            }

            var scale = new ChartScale(new ChartAxis { Label = "" }, [a, b], 40, 500, 6);
            Assert.InRange(scale.Ticks.Count, 2, 9);
            Assert.All(scale.Ticks, tick => Assert.InRange(scale.Pixel(tick.Value), 39.9, 500.1));
        }));
}
