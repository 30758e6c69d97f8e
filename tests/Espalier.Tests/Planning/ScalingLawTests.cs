using Espalier.Planning;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Planning;

public class ScalingLawTests
{
    private static readonly ScalingLaw Law = new();

    private static readonly Arbitrary<double> AnySize =
        Gen.Choose(600, 1200).Select(hundredths => Math.Pow(10, hundredths / 100.0)).ToArbitrary();

    /// <summary>What the simulation of Staged Training gives, for any size.</summary>
    [Fact]
    public void DoublingSavesAlikeAtEverySize() => Prop.ForAll(AnySize, size =>
    {
        var width = LawHop.Of(Law, size, 4, GrowthRule.Of(GrowthKind.Width).Slope, GrowthRule.StopSlope);
        Assert.Equal(2.718, width.Ratio, 5e-4);
        Assert.Equal(0.078, width.Saving, 5e-4);
        var depth = LawHop.Of(Law, size, 2, GrowthRule.Of(GrowthKind.Depth).Slope, GrowthRule.StopSlope);
        Assert.Equal(1.618, depth.Ratio, 5e-4);
        Assert.Equal(0.066, depth.Saving, 5e-4);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void StepsAndBudgetInvertTheLaw() => Prop.ForAll(AnySize, size =>
    {
        double loss = Law.Floor(size) * 1.2;
        Assert.Equal(loss, Law.Loss(size, Law.Steps(size, loss)), 1e-9);
        Assert.Equal(loss, Law.LossForBudget(size, Law.Flops(size, loss))!.Value, 1e-9);
        Assert.Equal(double.PositiveInfinity, Law.Steps(size, Law.Floor(size) * 0.99));
    }).QuickCheckThrowOnFailure();

    /// <summary>Against differences of the law itself.</summary>
    [Theory]
    [InlineData(1e8, -0.0575)]
    [InlineData(1e8, -0.0475)]
    [InlineData(1.5e9, -0.052)]
    [InlineData(1e12, -0.03)]
    public void TheSlopeIsThatOfTheLaw(double size, double slope)
    {
        double loss = Law.LossAtSlope(size, slope), near = loss * 1.000001;
        double measured = (Math.Log(near) - Math.Log(loss)) / (Math.Log(Law.Flops(size, near)) - Math.Log(Law.Flops(size, loss)));
        Assert.Equal(slope, measured, 1e-6);
    }

    [Fact]
    public void NoSizeIsCheaperThanTheBest() => Prop.ForAll(AnySize, size =>
    {
        double loss = Law.Floor(size) * 1.1, best = Law.BestSize(loss);
        Assert.All(
            new[] { 0.5, 0.9, 0.99, 1.01, 1.1, 2 }, factor => Assert.True(Law.Flops(best, loss) <= Law.Flops(best * factor, loss)));
    }).QuickCheckThrowOnFailure();

    /// <summary>With one stage there is nothing to save; with more, never less.</summary>
    [Fact]
    public void MoreStagesNeverCostMore() => Prop.ForAll(AnySize, size =>
    {
        double loss = Law.LossAtSlope(size, GrowthRule.StopSlope);
        LawSchedule[] schedules =
            [.. new[] { 1, 2, 4 }.Select(most => LawSchedule.Cheapest(Law, [size / 8, size / 4, size / 2, size], loss, most))];
        Assert.Equal(0, schedules[0].Saving, 1e-9);
        Assert.True(schedules[1].Saving >= schedules[0].Saving && schedules[2].Saving >= schedules[1].Saving);
        Assert.All(schedules, schedule =>
        {
            Assert.Equal(size, schedule.Stages[^1].Size);
            Assert.Equal(loss, schedule.Stages[^1].Loss, 1e-9);
            Assert.Equal(schedule.Stages.Sum(stage => stage.Flops), schedule.Flops);

            // Each goes on where its own size has the loss of the one before.
            double before = double.PositiveInfinity;
            foreach (LawStage stage in schedule.Stages)
            {
                double begin = double.IsFinite(before) ? Law.Steps(stage.Size, before) : 0;
                Assert.Equal(stage.Loss, Law.Loss(stage.Size, begin + stage.Steps), 1e-9);
                before = stage.Loss;
            }
        });
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void ConstantsAreParameters()
    {
        Assert.Equal(Law, ScalingLaw.Parse(null));
        Assert.Equal(Law with { SizeScale = 1e13, BatchPower = 0.2 }, ScalingLaw.Parse("nc=1e13, ab=0.2"));
        Assert.Contains("'nd'", Assert.Throws<UserErrorException>(() => ScalingLaw.Parse("nd=1")).Message, StringComparison.Ordinal);
        Assert.Throws<UserErrorException>(() => ScalingLaw.Parse("nc"));
        Assert.Throws<UserErrorException>(() => ScalingLaw.Parse("nc=-1"));
    }

    /// <summary>More tokens for larger models, fewer for larger budgets.</summary>
    [Fact]
    public void TheStackLawIsItsFormula()
    {
        double expected = Math.Pow(10, (0.88 * 9) + (163.27 / 20) - 5.74);
        Assert.Equal(expected, StackLaw.Tokens(1e9, 1e20), expected * 1e-12);
        Assert.True(StackLaw.Tokens(2e9, 1e20) > expected);
        Assert.True(StackLaw.Tokens(1e9, 1e21) < expected);
    }
}
