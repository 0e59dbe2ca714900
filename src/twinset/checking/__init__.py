"""What is wrong with a study, said before anything is fitted: ``declared`` looks at the study alone, ``rows`` at an open table too."""
