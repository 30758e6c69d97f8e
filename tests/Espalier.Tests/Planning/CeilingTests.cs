using Espalier.Planning;

namespace Espalier.Tests.Planning;

public class CeilingTests
{
    /// <summary>
    /// Costs c_i(l) = a_i / (l - f_i): leaving the small model at l saves c_2(l) - c_1(l), which is largest where their derivatives
    /// agree, at sqrt(a_1) (l - f_2) = sqrt(a_2) (l - f_1).
    /// </summary>
    [Theory]
    [InlineData(1, 2, 4, 1)]
    [InlineData(1, 3, 4, 2.5)]
    [InlineData(0.2, 2, 5, 1.5)]
    public void OneGrowthIsBestWhereBothCostTheSameForTheNextBit(double a1, double f1, double a2, double f2)
    {
        double hop = ((Math.Sqrt(a2) * f1) - (Math.Sqrt(a1) * f2)) / (Math.Sqrt(a2) - Math.Sqrt(a1));
        double target = f2 + 0.2;
        Assert.True(hop > target);
        double One(double l) => l > f1 ? a1 / (l - f1) : double.PositiveInfinity;
        double Two(double l) => l > f2 ? a2 / (l - f2) : double.PositiveInfinity;
        var ceiling = Ceiling.Of([new Rung("one", One), new Rung("two", Two)], 20, target, 1);
        Assert.Equal((Two(hop) - One(hop)) / Two(target), ceiling.Saving, 1e-3);
        Assert.Equal(hop, ceiling.LastHop!.Value, hop * 0.02);
        Assert.Equal(["one", "two"], ceiling.Stages.Select(stage => stage.Name));
    }

    /// <summary>A small model that costs more at every loss is of no use.</summary>
    [Fact]
    public void NothingIsSavedByAModelThatIsNeverCheaper()
    {
        var ceiling = Ceiling.Of([new Rung("one", l => 3 / l), new Rung("two", l => 2 / l)], 5, 1, 3);
        Assert.Equal(0, ceiling.Saving, 1e-12);
        Assert.Null(ceiling.LastHop);
    }
}
