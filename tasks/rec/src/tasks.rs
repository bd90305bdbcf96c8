//! Recommendation tasks that a study declares: one file each, registered by one
//! line below.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use shiftproof_tasks::diagnostic::DataError;
use shiftproof_tasks::{
    ClassifySpec, ClassifyTask, ExtractSpec, ExtractTask, GenerateSpec, GenerateTask, ProgramSpec,
    ProgramTask, Task,
};

use super::{ItemCatalogue, PromptTemplates, RecommenderKind};

mod generated;
mod grounding;
mod pointwise;
mod ranking;
mod reranking;

/// A task made from a study's `[task]` table.
pub struct TaskDeclaration {
    /// The task.
    pub task: Arc<dyn Task>,
    /// The fields it reads.
    pub fields: Vec<String>,
    /// The phrasings to be dealt to the examples before anything else reads
    /// them; most tasks have none.
    pub templates: Option<PromptTemplates>,
}

impl std::fmt::Debug for TaskDeclaration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Declaration")
            .field("task", &self.task.name())
            .field("fields", &self.fields)
            .field("templates", &self.templates)
            .finish()
    }
}

impl TaskDeclaration {
    fn new(task: impl Task + 'static, fields: &[&str]) -> Self {
        Self {
            task: Arc::new(task),
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
            templates: None,
        }
    }
}

/// The options of one kind of task, as a study's `[task]` table holds them.
pub trait TaskSpec: DeserializeOwned {
    /// The word that `task.kind` names it by.
    const KIND: &'static str;

    /// The recommenders that the task asks, by the keys of `[task]` that name them: those
    /// that are trained have to be in the catalogue when the task is made.
    fn recommenders(&self) -> Vec<RecommenderKind> {
        Vec::new()
    }

    /// Checks the options and makes the task. `study` is the study's name;
    /// `catalogue` the items, where the data are interactions.
    fn declare(
        self,
        study: &str,
        catalogue: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskDeclaration, DataError>;
}

/// Receives every kind of task there is.
pub trait TaskVisitor {
    /// One kind.
    fn kind<D: TaskSpec + 'static>(&mut self);
}

/// Declares the modules, exports the options and shows each to visitors.
macro_rules! kinds {
    ($($module:ident: $spec:ident,)*) => {
        $(mod $module; pub use $module::$spec;)*

        /// Shows all kinds to a visitor, `classify` first.
        pub fn visit(visitor: &mut impl TaskVisitor) {
            visitor.kind::<ClassifySpec>();
            visitor.kind::<ExtractSpec>();
            visitor.kind::<GenerateSpec>();
            visitor.kind::<ProgramSpec>();
            $(visitor.kind::<$spec>();)*
        }
    };
}

kinds! {
    tallrec: TallrecSpec,
    llmrank: LlmRankSpec,
    lmrec: LmRecSpec,
    liu: LiuSpec,
    prompt4nr: Prompt4NrSpec,
    m6: M6Spec,
    gpt4rec: Gpt4RecSpec,
    bigrec: BigRecSpec,
    chatrec: ChatRecSpec,
    p5: P5Spec,
    instructrec: InstructRecSpec,
    generec: GeneRecSpec,
}

impl TaskSpec for ClassifySpec {
    const KIND: &'static str = "classify";

    fn declare(
        self,
        study: &str,
        _: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskDeclaration, DataError> {
        let task = ClassifyTask::new(study, self)?;
        Ok(TaskDeclaration {
            fields: task.fields(),
            task: Arc::new(task),
            templates: None,
        })
    }
}

impl TaskSpec for ExtractSpec {
    const KIND: &'static str = "extract";

    fn declare(
        self,
        study: &str,
        _: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskDeclaration, DataError> {
        let task = ExtractTask::new(study, self)?;
        Ok(TaskDeclaration {
            fields: task.fields(),
            task: Arc::new(task),
            templates: None,
        })
    }
}

impl TaskSpec for GenerateSpec {
    const KIND: &'static str = "generate";

    fn declare(
        self,
        study: &str,
        _: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskDeclaration, DataError> {
        let task = GenerateTask::new(study, self)?;
        Ok(TaskDeclaration {
            fields: task.fields(),
            task: Arc::new(task),
            templates: None,
        })
    }
}

impl TaskSpec for ProgramSpec {
    const KIND: &'static str = "command";

    fn declare(
        self,
        study: &str,
        _: Option<&Arc<ItemCatalogue>>,
    ) -> Result<TaskDeclaration, DataError> {
        let task = ProgramTask::new(study, self)?;
        Ok(TaskDeclaration {
            fields: task.fields().to_vec(),
            task: Arc::new(task),
            templates: None,
        })
    }
}

#[cfg(test)]
mod tests;
