using Espalier.Experiments;
using Espalier.Reporting;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Experiments;

public sealed class ExperimentStatisticsTests
{
    /// <summary>By the tables of Student's t, two-sided 95 %.</summary>
    [Theory]
    [InlineData(2, 12.7062)]
    [InlineData(3, 4.30265)]
    [InlineData(5, 2.77645)]
    [InlineData(10, 2.26216)]
    [InlineData(31, 2.04227)]
    public void AnIntervalIsThatOfTheTables(int count, double quantile)
    {
        // Half of the values at -1 and at 1, a middle one at 0: the sum of squares is known.
        double[] values = [.. Enumerable.Range(0, count).Select(i => count % 2 == 1 && i == count - 1 ? 0 : i % 2 == 0 ? -1.0 : 1.0)];
        double deviation = Math.Sqrt((count - (count % 2)) / (count - 1.0));
        ConfidenceInterval interval = ConfidenceInterval.Of([.. values.Select(value => value + 3)]);
        Assert.Equal(3, interval.Mean, 12);
        Assert.Equal(quantile * deviation / Math.Sqrt(count), interval.HalfWidth!.Value, 4);
    }

    [Fact]
    public void OneRunHasNoIntervalAndDecidesNothing()
    {
        ConfidenceInterval interval = ConfidenceInterval.Of([-0.2]);
        Assert.Null(interval.HalfWidth);
        Assert.False(interval.ExcludesZero);
        Assert.Null(ConfidenceInterval.RunsToDecide([-0.2]));
    }

    /// <summary>As many runs as are said to decide do, and one fewer do not, where mean and spread stay.</summary>
    [Fact]
    public void RunsToDecideAreTheFewest() => Prop.ForAll(
        Gen.Choose(1, 300).Select(mean => mean / 100.0).ToArbitrary(), mean =>
        {
            int? runs = ConfidenceInterval.RunsToDecide([mean - 1, mean, mean + 1]);
            if (runs is not int count)
            {
                Assert.True(mean < 0.07);
                return;
            }

            Assert.True(Excludes(count));
            Assert.True(count == 2 || !Excludes(count - 1));

            // Normal quantiles are below Student's, and the same from some hundreds on.
            Assert.True(count >= Math.Pow(1.96 / mean, 2));

            bool Excludes(int n) => MathNet.Numerics.Distributions.StudentT.InvCDF(0, 1, n - 1, 0.975) / Math.Sqrt(n) < mean;
        }).QuickCheckThrowOnFailure();

    /// <summary>Of two power laws the most that growing saves has a closed form: where both curves have the same slope over the loss.</summary>
    [Theory]
    [InlineData(4, 0.10, 9, 0.16)]
    [InlineData(3, 0.05, 5, 0.09)]
    public void TheMostThatOneGrowthSavesIsTheLargestGapOfTheCurves(double a, double alpha, double b, double beta)
    {
        TrainingCurve small = Curve(a, alpha), large = Curve(b, beta);

        // (b/l)^(1/beta) - (a/l)^(1/alpha) is largest where (1/beta) (b/l)^(1/beta) = (1/alpha) (a/l)^(1/alpha).
        double p = 1 / alpha, q = 1 / beta, best = Math.Pow(p / q * Math.Pow(a, p) / Math.Pow(b, q), 1 / (p - q));
        double expected = Math.Pow(b / best, q) - Math.Pow(a / best, p);
        Assert.Equal(expected, GrowthLimit.MostSaved(small, large)!.Value, expected * 0.01);

        // The larger model gains nothing from being made of itself, nor where the smaller one is never ahead.
        Assert.Equal(0, GrowthLimit.MostSaved(large, large));
        Assert.Null(GrowthLimit.MostSaved(small, new TrainingCurve("none", [])));

        static TrainingCurve Curve(double factor, double exponent) => new(
            "curve", Enumerable.Range(0, 3200).Select(i => Math.Pow(1.005, i)).Select((cost, i) => new CurvePoint(i, factor * Math.Pow(cost, -exponent), cost)));
    }

    /// <summary>Between its points a power law is read back as it is, in both directions.</summary>
    [Fact]
    public void APowerLawIsReadBetweenItsPoints() => Prop.ForAll(
        Gen.Choose(0, 1000).Select(i => 1e13 * Math.Pow(100, i / 1000.0)).ToArbitrary(), flops =>
        {
            LossOverFlops curve = LossOverFlops.Of([(1e15, Law(1e15)), (1e13, Law(1e13)), (1e14, Law(1e14))]);
            Assert.Equal(Law(flops), curve.LossAt(flops)!.Value, 9);
            Assert.Equal(1, curve.FlopsAt(Law(flops))!.Value / flops, 9);

            static double Law(double x) => 40 * Math.Pow(x, -0.1);
        }).QuickCheckThrowOnFailure();

    /// <summary>The envelope is the least of what the arms say, and says nothing where none was trained.</summary>
    [Fact]
    public void TheEnvelopeIsTheLeastOfItsArms()
    {
        LossOverFlops small = LossOverFlops.Of([(1e13, 2.0), (1e14, 1.8), (1e15, 1.7)]), large = LossOverFlops.Of([(1e13, 2.4), (1e15, 1.5)]);
        LossOverFlops both = LossOverFlops.Envelope([small, large]);
        foreach (double flops in new[] { 1e13, 3e13, 1e14, 3e14, 1e15 })
        {
            Assert.Equal(Math.Min(small.LossAt(flops)!.Value, large.LossAt(flops)!.Value), both.LossAt(flops)!.Value, 12);
        }

        Assert.Equal(1e13, both.FlopsAt(2.0)!.Value, 1e-3 * 1e13);
        Assert.Equal(large.FlopsAt(1.6)!.Value, both.FlopsAt(1.6)!.Value);
        Assert.Null(both.LossAt(2e15));
        Assert.Null(both.FlopsAt(1.4));

        // Two runs within a budget differ by less than an update.
        Assert.Equal(1.5, both.LossAt(1.001e15)!.Value, 12);
    }

    /// <summary>A curve that rises again on its way is read where it first comes down to a loss.</summary>
    [Fact]
    public void TheFewestFlopsAreThoseOfTheFirstCrossing()
    {
        LossOverFlops curve = LossOverFlops.Of([(1e13, 2.0), (2e13, 1.8), (4e13, 1.95), (8e13, 1.7)]);
        Assert.InRange(curve.FlopsAt(1.9)!.Value, 1e13, 2e13);
        Assert.InRange(curve.FlopsAt(1.75)!.Value, 4e13, 8e13);
    }

    /// <summary>Where an arm was below a loss from its first point, no other arm's FLOPs are those of the envelope.</summary>
    [Fact]
    public void WhatWasNeverTrainedSavesNothing()
    {
        LossOverFlops envelope = LossOverFlops.Envelope(
            [LossOverFlops.Of([(1e13, 1.8), (1e14, 1.7)]), LossOverFlops.Of([(1e13, 2.2), (1e14, 1.6)])]);
        Assert.Null(envelope.FlopsAt(1.9));
        Assert.Equal(1, envelope.FlopsAt(1.8)!.Value / 1e13, 9);
    }

    /// <summary>An interval neither knows the order of its runs nor where zero is; it is as wide as its unit is small.</summary>
    [Fact]
    public void AnIntervalMovesAndStretchesWithItsValues() => Prop.ForAll(
        Gen.Choose(-1000, 1000).ArrayOf().Where(values => values.Length > 1).Select(values => values.Select(value => value / 100.0).ToArray()).ToArbitrary(),
        Gen.Choose(-500, 500).Select(value => value / 10.0).ToArbitrary(),
        (values, by) =>
        {
            ConfidenceInterval of = ConfidenceInterval.Of(values);
            ConfidenceInterval moved = ConfidenceInterval.Of([.. values.Reverse().Select(value => value + by)]);
            ConfidenceInterval stretched = ConfidenceInterval.Of([.. values.Select(value => value * by)]);
            Assert.Equal(of.Mean + by, moved.Mean, 9);
            Assert.Equal(of.HalfWidth!.Value, moved.HalfWidth!.Value, 9);
            Assert.Equal(of.HalfWidth.Value * Math.Abs(by), stretched.HalfWidth!.Value, 6);
        }).QuickCheckThrowOnFailure();

    /// <summary>The envelope at a loss is never dearer than an arm that comes down to it, and one more arm never makes it dearer.</summary>
    [Fact]
    public void OneMoreArmMakesTheEnvelopeNoDearer() => Prop.ForAll(
        Gen.Choose(100, 300).ArrayOf(4).ArrayOf(3).ToArbitrary(), Gen.Choose(100, 300).ToArbitrary(), (arms, at) =>
        {
            double loss = at / 100.0;
            LossOverFlops[] curves = [.. arms.Select(losses => LossOverFlops.Of(losses.Select((value, i) => (Math.Pow(10, 13 + i), value / 100.0))))];
            double? two = LossOverFlops.Envelope(curves[..2]).FlopsAt(loss), three = LossOverFlops.Envelope(curves).FlopsAt(loss);
            Assert.True(three is null || two is null || three <= two);
            Assert.Equal(three is null ? null : curves.Min(curve => curve.FlopsAt(loss)), three);
            foreach (double flops in new[] { 1e13, 3e14, 1e16 })
            {
                Assert.Equal(curves.Min(curve => curve.LossAt(flops)), LossOverFlops.Envelope(curves).LossAt(flops));
            }
        }).QuickCheckThrowOnFailure();
}
