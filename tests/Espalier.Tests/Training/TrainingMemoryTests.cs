using System.Globalization;
using Espalier.Configuration;
using Espalier.Evaluation;
using Espalier.Tests.Data;
using Espalier.Tests.Torch;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Tests.Training;

[Collection(TensorCounts.Name)]
[Trait("Kind", "Slow")]
public class TrainingMemoryTests
{
    private const int Steps = 1000, Layers = 4;

    // Tensors are counted exactly; this looks for native buffers beside them. After hundreds of other tests the system
    // takes untouched pages of this process away and gives them back, some 10 MB here (alone it is below 1 MB); a leak of
    // the activations of one layer a step would come to more than 50 MB. bench/step --memory looks closer.
    private const long Slack = 24 << 20;

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
