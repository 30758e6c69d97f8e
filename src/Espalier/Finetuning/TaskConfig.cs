using System.ComponentModel.DataAnnotations;
using Espalier.Configuration;
using Espalier.Evaluation;

namespace Espalier.Finetuning;

/// <summary>How the examples of a task's files are written.</summary>
public enum TaskFormat
{
    /// <summary>As the file's name ends, .gz left aside.</summary>
    Auto,

    /// <summary>Tabs between columns, and no quoting, as GLUE's files are.</summary>
    Tsv,

    /// <summary>Commas between columns, and quoting by RFC 4180.</summary>
    Csv,

    /// <summary>A JSON object a line.</summary>
    Jsonl,
}

/// <summary>
/// A task to fine-tune a model for: to give a text, or two, a class or a score. YAML on disk: <see cref="TaskFile"/>.
/// </summary>
public sealed record TaskConfig
{
    /// <summary>`name`: what results call the task. Default: the file's name without its extension.</summary>
    public string Name { get; init; } = "";

    /// <summary>`source`: where its data is got from.</summary>
    public string? Source { get; init; }

    /// <summary>`licence`: under which terms.</summary>
    public string? Licence { get; init; }

    /// <summary>`data`: its files, and where in them text and label stand.</summary>
    public required TaskDataConfig Data { get; init; }

    /// <summary>`labels`: the classes as the files name them, in the order of their ids. Not with `range`.</summary>
    public string[] Labels { get; init; } = [];

    /// <summary>`range`: the lowest and the highest score of a regression. Not with `labels`.</summary>
    public double[] Range { get; init; } = [];

    /// <summary>`metrics`: what is measured on the validation set; the first one chooses the best epoch.</summary>
    public required MetricKind[] Metrics { get; init; }

    /// <summary>`training`: how the model is fine-tuned.</summary>
    public TaskTrainingConfig Training { get; init; } = new();

    /// <summary>Whether a text gets a score rather than a class.</summary>
    public bool IsRegression => Range.Length > 0;

    /// <summary>The outputs of the model: one for each class, or one score.</summary>
    public int Outputs => IsRegression ? 1 : Labels.Length;
}

/// <summary>A task's files. Columns go by the header's names, or by their number from 1; in .jsonl by their keys.</summary>
public sealed record TaskDataConfig
{
    /// <summary>`train`: the examples to learn from. Relative to --data, or else to the task file. May be a .gz.</summary>
    public required string Train { get; init; }

    /// <summary>`validation`: the examples to measure on.</summary>
    public required string Validation { get; init; }

    /// <summary>`test`: texts to predict, without labels. Default (null): none.</summary>
    public string? Test { get; init; }

    /// <summary>`format`: auto (as the name ends), tsv, csv or jsonl. Default auto.</summary>
    public TaskFormat Format { get; init; } = TaskFormat.Auto;

    /// <summary>`header`: whether the first row names the columns. Default true.</summary>
    public bool Header { get; init; } = true;

    /// <summary>`extra_columns`: whether rows may be longer or shorter than the first, as long as they have the columns named here. Default false.</summary>
    public bool ExtraColumns { get; init; }

    /// <summary>`text`: the column of the text.</summary>
    public required string Text { get; init; }

    /// <summary>`text_pair`: the column of the second text. Default (null): none.</summary>
    public string? TextPair { get; init; }

    /// <summary>`label`: the column of the label or score.</summary>
    public required string Label { get; init; }

    /// <summary>`test_header`: the same as `header` for the test file. Default (null): as `header`.</summary>
    public bool? TestHeader { get; init; }

    /// <summary>`test_text`: the column of the text in the test file. Default (null): as `text`.</summary>
    public string? TestText { get; init; }

    /// <summary>`test_text_pair`: the column of the second text in the test file. Default (null): as `text_pair`.</summary>
    public string? TestTextPair { get; init; }
}

/// <summary>How a model is fine-tuned. Defaults are those that BERT's authors give for GLUE.</summary>
public sealed record TaskTrainingConfig
{
    /// <summary>`epochs`: passes over the training examples. Default 3.</summary>
    [Range(1, 1000)]
    public int Epochs { get; init; } = 3;

    /// <summary>`batch`: examples of one update. Default 32.</summary>
    [Range(1, 1 << 16)]
    public int Batch { get; init; } = 32;

    /// <summary>`learning_rate`: the highest rate, reached at the end of the warm-up; from there a line falls to 0. Default 2e-5.</summary>
    [Range(0.0, 100.0, MinimumIsExclusive = true)]
    public double LearningRate { get; init; } = 2e-5;

    /// <summary>`warmup`: length of the linear rise from 0, in steps or per cent. Default 10 %.</summary>
    public Duration Warmup { get; init; } = Duration.Percent(10);

    /// <summary>`weight_decay`: AdamW's decoupled decay of matrices. Default 0.01.</summary>
    [Range(0.0, 10.0)]
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>`clip_norm`: the most the gradient norm may be; 0: no clipping. Default 1.</summary>
    [Range(0.0, 1e9)]
    public double ClipNorm { get; init; } = 1.0;

    /// <summary>
    /// `dropout`: the probability in every place of the model that has dropout. Default (null): what its `config.json` says,
    /// which is 0 where a recipe does not say otherwise.
    /// </summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double? Dropout { get; init; }

    /// <summary>`max_length`: the most tokens of an example, special ones included; never more than the model's context. Default 128.</summary>
    [Range(1, 1 << 24)]
    public int MaxLength { get; init; } = 128;

    /// <summary>`truncate`: cut longer examples, and say how many; false: they are an error. Default true.</summary>
    public bool Truncate { get; init; } = true;

    /// <summary>`seeds`: one fine-tuning each: of the new layers' weights, the order of examples, dropout. Default [1].</summary>
    public ulong[] Seeds { get; init; } = [1];
}
