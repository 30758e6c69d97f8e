using Espalier.Models;
using Espalier.Optimization;

namespace Espalier.Tests.Optimization;

public class GradientNormTests
{
    [Fact]
    public void ItIsThatOfAllGradientsTogether()
    {
        using ParameterSet parameters = Gradients.Of(i => 0.25 * (i + 1));
        Assert.Equal(
            Math.Sqrt(parameters.Select((parameter, i) => parameter.Value.Count * Math.Pow(0.25 * (i + 1), 2)).Sum()),
            GradientNorm.Of(parameters), 3);
    }

    [Fact]
    public void AParameterWithoutAGradientDoesNotCount()
    {
        using ParameterSet parameters = Gradients.Of(_ => 1);
        double whole = GradientNorm.Of(parameters);
        Parameter still = parameters.First(parameter => parameter.Name == "transformer.wpe.weight");
        still.Value.ClearGrad();
        Assert.Equal(Math.Sqrt((whole * whole) - still.Value.Count), GradientNorm.Of(parameters), 3);
    }

    [Fact]
    public void ClippingScalesToTheBoundAndNoFurther()
    {
        Assert.Equal(2.0 / 8, GradientNorm.ClipFactor(8, 2), 6);
        Assert.Equal(1, GradientNorm.ClipFactor(8, 16));
        Assert.Equal(1, GradientNorm.ClipFactor(8, 0));
        Assert.Equal(1, GradientNorm.ClipFactor(0, 2));
    }
}
