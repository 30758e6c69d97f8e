using System.Globalization;
using Espalier.Evaluation;
using Espalier.Recipes;
using Espalier.Tests.Data;
using Espalier.Tests.Torch;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Tests.Training;

[Collection(TensorCounts.Name)]
public class TrainingMemoryTests
{
    private const int Steps = 1000, Layers = 4;

    // libtorch's and the runtime's caches; a leak of a single activation a step, 48 x 64 floats, would come to 8 MB.
    private const long Slack = 6 << 20;

    [Fact]
    public void AThousandStepsLeaveNothingBehind()
    {
        for (int round = 0; round < 2; round++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        long empty = Tensor.LiveCount;
        using var folder = new TemporaryFolder(inMemory: true);
        Recipe recipe = TinyRun.Recipe with
        {
            Training = TinyRun.Recipe.Training with { Length = Duration.Steps(Steps) },
            Evaluation = new EvaluationConfig { Every = Duration.Steps(100), Tokens = 200 },
            Checkpoint = new CheckpointConfig { Every = Duration.Steps(250) },
        };
        long atRest = 0, atEnd = 0;
        Assert.True(TinyRun.Go(folder.File("run"), recipe, hear: heard =>
        {
            // A parameter and its two moments; 4 parameters outside of the layers, 12 in each.
            Assert.Equal(empty + (3 * (4 + (12 * heard.StoredLayers))), Tensor.LiveCount);
            if (heard.Step == 300 && heard.Activity == TrainingActivity.Training)
            {
                Assert.Equal(Layers, heard.StoredLayers);
                atRest = ResidentBytes();
            }

            if (heard.Step == Steps && heard.Activity == TrainingActivity.Training)
            {
                atEnd = ResidentBytes();
            }
        }));
        Assert.Equal(empty, Tensor.LiveCount);
        Assert.True(atEnd - atRest < Slack, $"{atEnd - atRest} bytes more after {Steps} steps than after 300");
    }

    private static long ResidentBytes()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        string pages = File.ReadAllText("/proc/self/statm").Split(' ')[1];
        return long.Parse(pages, CultureInfo.InvariantCulture) * Environment.SystemPageSize;
    }
}
