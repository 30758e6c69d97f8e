using Espalier.Models;
using Espalier.Optimization;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Optimization;

public class OptimizerShardsTests
{
    private static readonly IOptimizer[] Rules = [new AdamWConfig().Create(), new MuonConfig().Create(), new MuonNsgdConfig().Create(), new SgdConfig().Create()];

    // Large enough that matrices are cut, and embeddings; no tensor is made.
    private static readonly Gen<ModelConfig> Models =
        from layers in Gen.Choose(1, 5)
        from heads in Gen.Choose(1, 9)
        from headSize in Gen.Elements(4, 20, 64)
        from vocabulary in Gen.Elements(11, 5003)
        from isLlama in Gen.Elements(false, true)
        select isLlama
            ? (ModelConfig)new LlamaConfig { Layers = layers, HiddenSize = heads * headSize, Heads = heads, VocabularySize = vocabulary, ContextLength = 16 }
            : new Gpt2Config { Layers = layers, HiddenSize = heads * headSize, Heads = heads, VocabularySize = vocabulary, ContextLength = 16 };

    [Fact]
    public void EveryElementBelongsToOneRankAndWholeParametersStayWhole() => Check.QuickThrowOnFailure(Prop.ForAll(
        (from model in Models from rule in Gen.Elements(Rules) from ranks in Gen.Choose(1, 9) select (model, rule, ranks)).ToArbitrary(),
        at =>
        {
            IReadOnlyList<ParameterSpec> parameters = at.model.Architecture.Parameters(at.model);
            var shards = new OptimizerShards(parameters, at.rule, at.ranks);
            foreach (ParameterSpec parameter in parameters)
            {
                Shard[] owned = [.. Enumerable.Range(0, at.ranks).Select(rank => shards.Of(parameter.Name, rank)).OfType<Shard>()];
                long end = 0;
                foreach (Shard shard in owned)
                {
                    Assert.Equal(end, shard.Slice.Start);
                    Assert.Equal(0, shard.Slice.Start % OptimizerShards.Grain);
                    end += shard.Slice.Length;
                }

                Assert.Equal(parameter.Shape.Aggregate(1L, (a, b) => a * b), end);
                Assert.True(at.rule.IsElementwise(parameter) || owned is [{ IsWhole: true }], parameter.Name);
            }

            foreach (ShardGroup group in shards.Groups)
            {
                Assert.Equal(group.Shards.OrderBy(shard => shard.Rank), group.Shards);
                long[] elements = [.. Enumerable.Range(0, at.ranks).Select(rank =>
                    group.OfRank(rank).Where(shard => !shard.IsWhole).Sum(shard => shard.Slice.Length))];
                Assert.InRange(elements.Max() - elements.Min(), 0, 2 * OptimizerShards.Grain);
            }
        }));

    /// <summary>No rank has more of the matrices that go whole than another, but for one of the largest.</summary>
    [Fact]
    public void MatricesAreDealtOutEvenly() => Check.QuickThrowOnFailure(Prop.ForAll(
        (from model in Models from ranks in Gen.Choose(1, 9) select (model, ranks)).ToArbitrary(),
        at =>
        {
            var shards = new OptimizerShards(at.model.Architecture.Parameters(at.model), new MuonConfig().Create(), at.ranks);
            Shard[] whole = [.. shards.Groups.SelectMany(group => group.Shards).Where(shard => shard.IsWhole)];
            long[] elements = [.. Enumerable.Range(0, at.ranks).Select(rank => whole.Where(shard => shard.Rank == rank).Sum(shard => shard.Slice.Length))];
            Assert.InRange(elements.Max() - elements.Min(), 0, whole.Select(shard => shard.Slice.Length).DefaultIfEmpty(0).Max());
        }));
}
