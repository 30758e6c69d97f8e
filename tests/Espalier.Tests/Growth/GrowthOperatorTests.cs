using Espalier.Growth;
using Espalier.Models;

namespace Espalier.Tests.Growth;

public class GrowthOperatorTests
{
    /// <summary>It widens the feed-forward layers, and forgets to say where their units come from.</summary>
    private sealed record Forgetful : GrowthOperator
    {
        public override ModelConfig Grow(ModelConfig model) => model with { FfnSize = model.FfnWidth + 1 };

        public override Promise Promise(ModelConfig model) => new(Kept.Not, Dynamics: false);

        public override string ToString() => "forgetful";
    }

    [Fact]
    public void AnOperatorThatChangesAKindOfUnitsSaysWhereTheyComeFrom()
    {
        using TrainingState state = GrowthSample.State(GrowthSample.Gpt2(2));
        var exception = Assert.Throws<InvalidOperationException>(() => new Forgetful().Apply(state, GrowthSample.NoContext));
        Assert.Equal("forgetful changes the number of Ffn, and does not say where they come from", exception.Message);
        Assert.All(state.Model.Parameters, parameter => Assert.NotEmpty(Near.Bytes(parameter.Value)));
    }
}
